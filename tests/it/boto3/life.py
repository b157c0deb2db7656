import datetime

created = sm.create_secret(Name="app/one", Description="what it is for", SecretString="text value",
                           Tags=[{"Key": "team", "Value": "a"}])
arn = created["ARN"]
assert arn.startswith("arn:aws:secretsmanager:us-east-1:000000000000:secret:app/one-") and len(arn.rsplit("-", 1)[1]) == 6
got = sm.get_secret_value(SecretId="app/one")
assert got["SecretString"] == "text value" and "SecretBinary" not in got
assert got["VersionId"] == created["VersionId"] and got["VersionStages"] == ["AWSCURRENT"]
assert got["Name"] == "app/one" and got["ARN"] == arn

binary = bytes(range(256))
put = sm.put_secret_value(SecretId=arn, SecretBinary=binary)
assert put["VersionStages"] == ["AWSCURRENT"] and put["VersionId"] != created["VersionId"]
got = sm.get_secret_value(SecretId=arn)
assert got["SecretBinary"] == binary and "SecretString" not in got
assert sm.get_secret_value(SecretId=arn, VersionStage="AWSPREVIOUS")["SecretString"] == "text value"
assert sm.get_secret_value(SecretId=arn, VersionId=created["VersionId"])["VersionStages"] == ["AWSPREVIOUS"]

described = sm.describe_secret(SecretId=arn)
assert described["Description"] == "what it is for" and described["Tags"] == [{"Key": "team", "Value": "a"}]
assert described["VersionIdsToStages"] == {created["VersionId"]: ["AWSPREVIOUS"], put["VersionId"]: ["AWSCURRENT"]}
assert described["LastChangedDate"] > described["CreatedDate"]
assert described["LastAccessedDate"].time() == datetime.time(0, 0), described["LastAccessedDate"]
for absent in ["RotationEnabled", "RotationLambdaARN", "DeletedDate", "KmsKeyId", "NextRotationDate"]:
    assert absent not in described, absent

updated = sm.update_secret(SecretId=arn, Description="another")
assert "VersionId" not in updated and sm.get_secret_value(SecretId=arn)["VersionId"] == put["VersionId"]
updated = sm.update_secret(SecretId=arn, SecretString="updated")
assert sm.get_secret_value(SecretId=arn)["SecretString"] == "updated"
assert sm.get_secret_value(SecretId=arn)["VersionId"] == updated["VersionId"]
assert sm.describe_secret(SecretId=arn)["Description"] == "another"

sm.tag_resource(SecretId=arn, Tags=[{"Key": "team", "Value": "b"}, {"Key": "env", "Value": "prod"}])
assert sorted((t["Key"], t["Value"]) for t in sm.describe_secret(SecretId=arn)["Tags"]) == [("env", "prod"), ("team", "b")]
sm.untag_resource(SecretId=arn, TagKeys=["team", "env", "never-there"])
assert sm.describe_secret(SecretId=arn)["Tags"] == []

for window in [6, 31]:
    code, message = refused(sm.delete_secret, SecretId=arn, RecoveryWindowInDays=window)
    assert code == "InvalidParameterException" and "between 7 and 30 days (inclusive)" in message, (code, message)
code, _ = refused(sm.delete_secret, SecretId=arn, RecoveryWindowInDays=7, ForceDeleteWithoutRecovery=True)
assert code == "InvalidParameterException", code
deleted = sm.delete_secret(SecretId=arn, RecoveryWindowInDays=7)
days = (deleted["DeletionDate"] - datetime.datetime.now(datetime.timezone.utc)).total_seconds() / 86400
assert 6.9 < days <= 7.01, days
marked = ("InvalidRequestException",
          "You can't perform this operation on the secret because it was marked for deletion.")
assert refused(sm.get_secret_value, SecretId=arn) == marked
assert refused(sm.put_secret_value, SecretId=arn, SecretString="x") == marked
assert refused(sm.tag_resource, SecretId=arn, Tags=[{"Key": "a", "Value": "b"}]) == marked
assert refused(sm.create_secret, Name="app/one", SecretString="x") == (
    "InvalidRequestException",
    "You can't create this secret because a secret with this name is already scheduled for deletion.")
assert "DeletedDate" in sm.describe_secret(SecretId=arn)
assert sm.list_secrets()["SecretList"] == []
assert [s["Name"] for s in sm.list_secrets(IncludePlannedDeletion=True)["SecretList"]] == ["app/one"]
assert sm.restore_secret(SecretId=arn)["Name"] == "app/one"
assert sm.get_secret_value(SecretId=arn)["SecretString"] == "updated"
assert "DeletedDate" not in sm.describe_secret(SecretId=arn)

sm.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
gone = ("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
assert refused(sm.get_secret_value, SecretId=arn) == gone
assert refused(sm.describe_secret, SecretId="app/one") == gone
assert refused(sm.list_secret_version_ids, SecretId="app/one") == gone
assert sm.delete_secret(SecretId="never/was", ForceDeleteWithoutRecovery=True)["Name"] == "never/was"
again = sm.create_secret(Name="app/one", SecretString="new life")["ARN"]
assert again != arn, "the six characters must differ"

empty = sm.create_secret(Name="app/empty")
assert "VersionId" not in empty, empty
described = sm.describe_secret(SecretId="app/empty")
assert "VersionIdsToStages" not in described and "Tags" not in described, described
assert refused(sm.get_secret_value, SecretId="app/empty") == (
    "ResourceNotFoundException",
    "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT")
