import time

arn = sm.create_secret(Name="prod/db", SecretString=args["value"])["ARN"]

# Nothing to rotate with, and nothing stored by the refusal.
code, message = refused(sm.rotate_secret, SecretId=arn)
assert (code, message) == (
    "InvalidRequestException", "No Lambda rotation function ARN is associated with this secret."), (code, message)
code, message = refused(
    sm.rotate_secret, SecretId=arn,
    RotationLambdaARN="arn:aws:lambda:us-east-1:000000000000:function:nobody-wrote-this",
    RotationRules={"AutomaticallyAfterDays": 1})
assert code == "AccessDeniedException", (code, message)
described = sm.describe_secret(SecretId=arn)
assert not [key for key in described if "Rotat" in key], described

asked = sm.rotate_secret(SecretId=arn, RotationLambdaARN=args["function"],
                         RotationRules={"AutomaticallyAfterDays": 30})
token = asked["VersionId"]
assert asked["ARN"] == arn and asked["Name"] == "prod/db", asked
deadline = time.monotonic() + 60
while sm.describe_secret(SecretId=arn)["VersionIdsToStages"].get(token) != ["AWSCURRENT"]:
    assert time.monotonic() < deadline, sm.describe_secret(SecretId=arn)
    time.sleep(0.05)

described = sm.describe_secret(SecretId=arn)
assert described["RotationEnabled"] is True, described
assert described["RotationLambdaARN"] == args["function"], described
assert described["RotationRules"] == {"AutomaticallyAfterDays": 30}, described
assert described["LastRotatedDate"] < described["NextRotationDate"], described
assert sorted(described["VersionIdsToStages"].values()) == [["AWSCURRENT"], ["AWSPREVIOUS"]], described

current = sm.get_secret_value(SecretId=arn)
assert current["VersionId"] == token and current["VersionStages"] == ["AWSCURRENT"], current["VersionStages"]
previous = sm.get_secret_value(SecretId=arn, VersionStage="AWSPREVIOUS")
assert previous["SecretString"] == args["value"]
stopped = sm.cancel_rotate_secret(SecretId=arn)
assert stopped["ARN"] == arn, stopped
assert sm.describe_secret(SecretId=arn)["RotationEnabled"] is False
print(json.dumps({"password": json.loads(current["SecretString"])["password"]}))
