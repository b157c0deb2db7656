sm.create_secret(Name="a/1", SecretString="one")
sm.create_secret(Name="b/1", SecretString="two")
iam.create_user(UserName="ann")
ann = f"arn:aws:iam::{ACCOUNT}:user/ann"
key = iam.create_access_key(UserName="ann")["AccessKey"]
mine = client("sts", key)
role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust(ann, ["sts:AssumeRole", "sts:TagSession"]))["Role"]["Arn"]
iam.attach_role_policy(RoleName="r", PolicyArn="arn:aws:iam::aws:policy/SecretsManagerReadWrite")
arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/r/work"
def session(**more):
    return mine.assume_role(RoleArn=role, RoleSessionName="work", **more)["Credentials"]
get = "secretsmanager:GetSecretValue"

# A session's policy limits it.
prefix = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:a/*"
limited = client("secretsmanager", session(Policy=allow(get, prefix)))
assert limited.get_secret_value(SecretId="a/1")["SecretString"] == "one"
found = error(limited.get_secret_value, SecretId="b/1")
assert found[2] == denied(arn, get, "b/1", f"because no session policy allows the {get} action"), found
managed = iam.create_policy(PolicyName="m", PolicyDocument=allow("secretsmanager:ListSecrets"))["Policy"]["Arn"]
both = client("secretsmanager", session(Policy=allow(get, prefix), PolicyArns=[{"arn": managed}]))
assert both.get_secret_value(SecretId="a/1")["SecretString"] == "one" and len(both.list_secrets()["SecretList"]) == 2
assert error(both.get_secret_value, SecretId="b/1")[1] == "AccessDeniedException"
assert error(both.get_random_password)[1] == "AccessDeniedException"
assert error(session, Policy="{}")[1] == "MalformedPolicyDocument"

# Tags of the session are the principal's.
iam.put_role_policy(RoleName="r", PolicyName="own", PolicyDocument=allow(
    "secretsmanager:*", effect="Deny", Condition={"StringNotEquals": {"aws:PrincipalTag/team": "blue"}}))
assert client("secretsmanager", session(Tags=[{"Key": "team", "Value": "blue"}])).get_secret_value(SecretId="b/1")
found = error(client("secretsmanager", session()).get_secret_value, SecretId="b/1")
assert found[2] == denied(arn, get, "b/1", "with an explicit deny in an identity-based policy"), found
iam.delete_role_policy(RoleName="r", PolicyName="own")

# Durations.
now = datetime.datetime.now(datetime.timezone.utc)
for seconds, given in [(None, 3600), (900, 900), (3600, 3600)]:
    more = {} if seconds is None else {"DurationSeconds": seconds}
    until = session(**more)["Expiration"]
    assert abs((until - now).total_seconds() - given) < 120, (seconds, until)
assert error(session, DurationSeconds=3601) == (400, "ValidationError",
    "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
try:
    assert error(session, DurationSeconds=899)[1] == "ValidationError"
except Exception as refused:
    assert type(refused).__name__ == "ParamValidationError", refused

# A token belongs to its key, and to nobody who changes it.
good = session()
assert client("sts", good).get_caller_identity()["Arn"] == arn
other = session()
mixed = dict(good, SessionToken=other["SessionToken"])
assert error(client("sts", mixed).get_caller_identity)[1] == "InvalidClientTokenId"
assert error(client("sts", dict(good, SessionToken=None)).get_caller_identity)[1] == "InvalidClientTokenId"
token = good["SessionToken"]
bent = dict(good, SessionToken=token[:-9] + ("A" if token[-9] != "A" else "B") + token[-8:])
assert error(client("sts", bent).get_caller_identity)[1] == "InvalidClientTokenId"

# Roles that assume roles.
iam.create_role(RoleName="q", AssumeRolePolicyDocument=trust(role), MaxSessionDuration=7200)
chained = client("sts", good)
q = f"arn:aws:iam::{ACCOUNT}:role/q"
assert chained.assume_role(RoleArn=q, RoleSessionName="tt")["AssumedRoleUser"]["Arn"].endswith("assumed-role/q/tt")
assert error(chained.assume_role, RoleArn=q, RoleSessionName="tt", DurationSeconds=3601)[1] == "ValidationError"
assert error(mine.assume_role, RoleArn=q, RoleSessionName="tt")[1] == "AccessDenied"
assert error(sts.assume_role, RoleArn=q, RoleSessionName="tt") == (
    403, "AccessDenied", "Roles may not be assumed by root accounts.")

# A trust policy's conditions.
iam.create_role(RoleName="partner", AssumeRolePolicyDocument=trust(
    ann, Condition={"StringEquals": {"sts:ExternalId": "another"}}))
partner = f"arn:aws:iam::{ACCOUNT}:role/partner"
assert error(mine.assume_role, RoleArn=partner, RoleSessionName="tt")[1] == "AccessDenied"
iam.update_assume_role_policy(RoleName="partner", PolicyDocument=trust(
    ann, Condition={"StringEquals": {"sts:ExternalId": "word"}}))
assert mine.assume_role(RoleArn=partner, RoleSessionName="tt", ExternalId="word")["Credentials"]
assert error(mine.assume_role, RoleArn=partner, RoleSessionName="tt", ExternalId="words")[1] == "AccessDenied"

# A user's own session.
iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=allow(["secretsmanager:ListSecrets", "iam:*"]))
own = mine.get_session_token(DurationSeconds=900)["Credentials"]
assert client("sts", own).get_caller_identity()["Arn"] == ann
assert len(client("secretsmanager", own).list_secrets()["SecretList"]) == 2
assert error(client("iam", own).list_users)[:2] == (403, "AccessDenied")
assert client("iam", key).list_users()["Users"][0]["UserName"] == "ann"
assert error(client("sts", own).get_session_token)[1] == "AccessDenied"
# Neither does the root's: who finds one makes nothing of it that lasts longer.
roots = sts.get_session_token()["Credentials"]
assert client("sts", roots).get_caller_identity()["Arn"].endswith(":root")
assert client("secretsmanager", roots).get_secret_value(SecretId="a/1")["SecretString"] == "one"
assert error(client("sts", roots).get_session_token) == (403, "AccessDenied", "Cannot call GetSessionToken with session credentials")
assert error(client("sts", roots).get_access_key_info, AccessKeyId=key["AccessKeyId"])[:2] == (403, "AccessDenied")
for call, more in [("create_access_key", {"UserName": "ann"}), ("create_user", {"UserName": "mine"}), ("list_users", {})]:
    assert error(getattr(client("iam", roots), call), **more)[:2] == (403, "AccessDenied"), call
assert [user["UserName"] for user in iam.list_users()["Users"]] == ["ann"]
iam.delete_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"])
iam.delete_user_policy(UserName="ann", PolicyName="p")
assert error(client("secretsmanager", own).list_secrets)[1] == "AccessDeniedException"
iam.delete_user(UserName="ann")
assert error(client("secretsmanager", own).list_secrets)[1] == "UnrecognizedClientException"
