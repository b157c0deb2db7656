# An administrator, who is no root, makes a role for an application.
iam.create_user(UserName="admin")
iam.attach_user_policy(UserName="admin", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
admin_key = iam.create_access_key(UserName="admin")["AccessKey"]
assert admin_key["AccessKeyId"].startswith("AKIA") and len(admin_key["SecretAccessKey"]) == 40
iam, sm = client("iam", admin_key), client("secretsmanager", admin_key)
one = sm.create_secret(Name="prod/db", SecretString="first")
sm.put_secret_value(SecretId="prod/db", SecretString="second")
other = sm.create_secret(Name="prod/other", SecretString="not for it")

app = iam.create_user(UserName="app", Path="/apps/")["User"]
assert app["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/apps/app" and app["UserId"].startswith("AIDA"), app
first_key = iam.create_access_key(UserName="app")["AccessKey"]
role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=trust(app["Arn"]), MaxSessionDuration=7200)["Role"]
assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"AWS": app["Arn"]}, role
policy = iam.create_policy(PolicyName="read-one", PolicyDocument=allow(
    ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"], one["ARN"],
    Condition={"StringEqualsIfExists": {"secretsmanager:VersionStage": "AWSCURRENT"}}))["Policy"]
iam.attach_role_policy(RoleName="reader", PolicyArn=policy["Arn"])

# It assumes the role, and reads.
app_sts = client("sts", first_key)
assert app_sts.get_caller_identity()["Arn"] == app["Arn"]
assumed = app_sts.assume_role(RoleArn=role["Arn"], RoleSessionName="worker-1")
session = assumed["Credentials"]
arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/worker-1"
assert assumed["AssumedRoleUser"] == {"AssumedRoleId": f"{role['RoleId']}:worker-1", "Arn": arn}, assumed
assert session["AccessKeyId"].startswith("ASIA")
assert client("sts", session).get_caller_identity()["Arn"] == arn
mine = client("secretsmanager", session)
assert mine.get_secret_value(SecretId="prod/db")["SecretString"] == "second"
assert mine.get_secret_value(SecretId=one["ARN"], VersionStage="AWSCURRENT")["SecretString"] == "second"
assert mine.describe_secret(SecretId="prod/db")["Name"] == "prod/db"

# Every neighbouring call is refused, in AWS's words.
get = "secretsmanager:GetSecretValue"
def no(action, resource, call, **parameters):
    found = error(call, **parameters)
    assert found == (400, "AccessDeniedException", denied(arn, action, resource)), found
no(get, "prod/db", mine.get_secret_value, SecretId="prod/db", VersionStage="AWSPREVIOUS")
no(get, "prod/other", mine.get_secret_value, SecretId="prod/other")
no(get, other["ARN"], mine.get_secret_value, SecretId=other["ARN"])
no(get, "there/is/none", mine.get_secret_value, SecretId="there/is/none")
no("secretsmanager:PutSecretValue", "prod/db", mine.put_secret_value, SecretId="prod/db", SecretString="mine")
no("secretsmanager:DeleteSecret", "prod/db", mine.delete_secret, SecretId="prod/db")
no("secretsmanager:ListSecretVersionIds", "prod/db", mine.list_secret_version_ids, SecretId="prod/db")
found = error(mine.list_secrets)
assert found[2] == (f"User: {arn} is not authorized to perform: secretsmanager:ListSecrets because no identity-based "
                    "policy allows the secretsmanager:ListSecrets action"), found
found = error(mine.create_secret, Name="prod/new", SecretString="x")
assert found[1] == "AccessDeniedException" and "secretsmanager:CreateSecret on resource: " in found[2], found
found = error(client("iam", session).get_user, UserName="app")
assert found == (403, "AccessDenied", denied(arn, "iam:GetUser", "user app")), found
assert sm.get_secret_value(SecretId="prod/db")["SecretString"] == "second"
# Neither may the user itself, without the role, nor may another one assume it.
user_arn = app["Arn"]
found = error(client("secretsmanager", first_key).get_secret_value, SecretId="prod/db")
assert found[2] == denied(user_arn, get, "prod/db"), found
iam.create_user(UserName="stranger")
stranger = client("sts", iam.create_access_key(UserName="stranger")["AccessKey"])
found = error(stranger.assume_role, RoleArn=role["Arn"], RoleSessionName="worker-1")
assert found[:2] == (403, "AccessDenied") and "sts:AssumeRole on resource: " + role["Arn"] in found[2], found
missing = role["Arn"].replace("reader", "nobody")
found = error(stranger.assume_role, RoleArn=missing, RoleSessionName="worker-1")
assert found[:2] == (403, "AccessDenied"), found

# An explicit denial on the secret wins, and is named.
sm.put_resource_policy(SecretId="prod/db", ResourcePolicy=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Deny", "Principal": {"AWS": role["Arn"]}, "Action": get, "Resource": "*"}]}))
found = error(mine.get_secret_value, SecretId="prod/db")
assert found[2] == denied(arn, get, "prod/db", "with an explicit deny in a resource-based policy"), found
sm.delete_resource_policy(SecretId="prod/db")
assert mine.get_secret_value(SecretId="prod/db")["SecretString"] == "second"
# And an allowance on the secret is enough.
sm.put_resource_policy(SecretId="prod/other", ResourcePolicy=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"AWS": user_arn}, "Action": get, "Resource": "*"}]}))
assert client("secretsmanager", first_key).get_secret_value(SecretId="prod/other")["SecretString"] == "not for it"

# The user's key is rotated: a second one, then the first is put out of use, then deleted.
second_key = iam.create_access_key(UserName="app")["AccessKey"]
found = error(iam.create_access_key, UserName="app")
assert found == (409, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2"), found
assert client("sts", second_key).get_caller_identity()["Arn"] == user_arn
iam.update_access_key(UserName="app", AccessKeyId=first_key["AccessKeyId"], Status="Inactive")
status = {key["AccessKeyId"]: key["Status"] for key in iam.list_access_keys(UserName="app")["AccessKeyMetadata"]}
assert status == {first_key["AccessKeyId"]: "Inactive", second_key["AccessKeyId"]: "Active"}, status
invalid = "The security token included in the request is invalid."
found = error(app_sts.get_caller_identity)
assert found == (403, "InvalidClientTokenId", invalid), found
found = error(client("secretsmanager", first_key).list_secrets)
assert found[:2] == (400, "UnrecognizedClientException") and found[2] == invalid, found
iam.update_access_key(UserName="app", AccessKeyId=first_key["AccessKeyId"], Status="Active")
assert app_sts.get_caller_identity()["Arn"] == user_arn
used = iam.get_access_key_last_used(AccessKeyId=second_key["AccessKeyId"])
assert used["UserName"] == "app" and used["AccessKeyLastUsed"]["ServiceName"] == "sts", used
wrong = dict(second_key, SecretAccessKey="x" * 40)
assert error(client("sts", wrong).get_caller_identity)[:2] == (403, "SignatureDoesNotMatch")

# A user with keys is not deleted.
found = error(iam.delete_user, UserName="app")
assert found == (409, "DeleteConflict", "Cannot delete entity, must delete access keys first."), found
for key in (first_key, second_key):
    iam.delete_access_key(UserName="app", AccessKeyId=key["AccessKeyId"])
assert error(app_sts.get_caller_identity)[1] == "InvalidClientTokenId"
iam.delete_user(UserName="app")
found = error(iam.get_user, UserName="app")
assert found == (404, "NoSuchEntity", "The user with name app cannot be found."), found

# With the role its sessions end.
assert mine.get_secret_value(SecretId="prod/db")["SecretString"] == "second"
found = error(iam.delete_role, RoleName="reader")
assert found == (409, "DeleteConflict", "Cannot delete entity, must detach all policies first."), found
assert error(iam.delete_policy, PolicyArn=policy["Arn"])[1:] == (
    "DeleteConflict", "Cannot delete a policy attached to entities.")
iam.detach_role_policy(RoleName="reader", PolicyArn=policy["Arn"])
assert error(mine.get_secret_value, SecretId="prod/db")[1] == "AccessDeniedException"
iam.delete_role(RoleName="reader")
iam.delete_policy(PolicyArn=policy["Arn"])
assert error(mine.get_secret_value, SecretId="prod/db")[1] == "UnrecognizedClientException"
