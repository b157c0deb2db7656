# Two hosts of one store: what is taken away on one is soon taken away on the other, whatever it was.
import time
OTHER = args["other"]
def there(service, key=None):
    """A client of the other host."""
    key = key or {"AccessKeyId": os.environ["AWS_ACCESS_KEY_ID"], "SecretAccessKey": os.environ["AWS_SECRET_ACCESS_KEY"]}
    return boto3.client(service, endpoint_url=OTHER, config=QUIET, region_name="us-east-1", aws_access_key_id=key["AccessKeyId"],
                        aws_secret_access_key=key["SecretAccessKey"], aws_session_token=key.get("SessionToken"))
def code(call, **parameters):
    try:
        call(**parameters)
        return "done"
    except ClientError as refused:
        return refused.response["Error"]["Code"]
def soon(wanted, call, **parameters):
    until, found = time.monotonic() + 30, None
    while time.monotonic() < until:
        found = code(call, **parameters)
        if found == wanted:
            # And it stays so.
            assert [code(call, **parameters) for _ in range(5)] == [wanted] * 5
            return
        time.sleep(0.02)
    raise AssertionError(f"{call.__name__} {parameters} is {found} on the other host, and not {wanted}")
DENIED, UNKNOWN = "AccessDeniedException", "UnrecognizedClientException"

secret = sm.create_secret(Name="s", SecretString="x")
iam.create_user(UserName="app")
user = f"arn:aws:iam::{ACCOUNT}:user/app"
policy = iam.create_policy(PolicyName="read", PolicyDocument=allow("secretsmanager:GetSecretValue"))["Policy"]["Arn"]
iam.attach_user_policy(UserName="app", PolicyArn=policy)
key = iam.create_access_key(UserName="app")["AccessKey"]
read = lambda **_: there("secretsmanager", key).get_secret_value(SecretId="s")
read.__name__ = "read"
soon("done", read)

# A policy: detached, given another version, forbidden by a group, limited by a boundary.
iam.detach_user_policy(UserName="app", PolicyArn=policy)
soon(DENIED, read)
iam.attach_user_policy(UserName="app", PolicyArn=policy)
soon("done", read)
iam.create_policy_version(PolicyArn=policy, PolicyDocument=allow("secretsmanager:ListSecrets"), SetAsDefault=True)
soon(DENIED, read)
iam.set_default_policy_version(PolicyArn=policy, VersionId="v1")
soon("done", read)
iam.create_group(GroupName="closed")
iam.put_group_policy(GroupName="closed", PolicyName="no", PolicyDocument=allow("*", effect="Deny"))
iam.add_user_to_group(GroupName="closed", UserName="app")
soon(DENIED, read)
iam.remove_user_from_group(GroupName="closed", UserName="app")
soon("done", read)
fence = iam.create_policy(PolicyName="fence", PolicyDocument=allow("iam:*"))["Policy"]["Arn"]
iam.put_user_permissions_boundary(UserName="app", PermissionsBoundary=fence)
soon(DENIED, read)
iam.delete_user_permissions_boundary(UserName="app")
soon("done", read)

# The policy of a secret is in force at once, on every host.
for _ in range(5):
    sm.put_resource_policy(SecretId="s", ResourcePolicy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": {"AWS": user}, "Action": "secretsmanager:GetSecretValue", "Resource": "*"}]}))
    assert code(read) == DENIED
    sm.delete_resource_policy(SecretId="s")
    assert code(read) == "done"

# A session: with its role it ends everywhere, and another role of the name does not bring it back.
role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=trust(user))["Role"]["Arn"]
iam.attach_role_policy(RoleName="reader", PolicyArn=policy)
assumed = lambda **_: there("sts", key).assume_role(RoleArn=role, RoleSessionName="now")
soon("done", assumed)
session = there("sts", key).assume_role(RoleArn=role, RoleSessionName="now")["Credentials"]
by_session = lambda **_: there("secretsmanager", session).get_secret_value(SecretId="s")
assert code(by_session) == "done"
iam.detach_role_policy(RoleName="reader", PolicyArn=policy)
soon(DENIED, by_session)
iam.attach_role_policy(RoleName="reader", PolicyArn=policy)
soon("done", by_session)
iam.update_assume_role_policy(RoleName="reader", PolicyDocument=trust(f"arn:aws:iam::{ACCOUNT}:role/none"))
soon("AccessDenied", assumed)
iam.detach_role_policy(RoleName="reader", PolicyArn=policy)
iam.delete_role(RoleName="reader")
soon(UNKNOWN, by_session)
iam.create_role(RoleName="reader", AssumeRolePolicyDocument=trust(user))
iam.attach_role_policy(RoleName="reader", PolicyArn=policy)
soon("done", assumed)
assert code(by_session) == UNKNOWN

# An access key: put out of use, and deleted; a user's session with its user.
iam.update_access_key(UserName="app", AccessKeyId=key["AccessKeyId"], Status="Inactive")
soon(UNKNOWN, read)
iam.update_access_key(UserName="app", AccessKeyId=key["AccessKeyId"], Status="Active")
soon("done", read)
own = there("sts", key).get_session_token()["Credentials"]
by_own = lambda **_: there("secretsmanager", own).get_secret_value(SecretId="s")
assert code(by_own) == "done"
iam.delete_access_key(UserName="app", AccessKeyId=key["AccessKeyId"])
soon(UNKNOWN, read)
iam.detach_user_policy(UserName="app", PolicyArn=policy)
iam.delete_user(UserName="app")
soon(UNKNOWN, by_own)
iam.create_user(UserName="app")
iam.attach_user_policy(UserName="app", PolicyArn=policy)
again = iam.create_access_key(UserName="app")["AccessKey"]
key = again
soon("done", read)
assert code(by_own) == UNKNOWN

# A key of KMS: disabled, and its policy changed.
kms = boto3.client("kms", endpoint_url=ENDPOINT, config=QUIET, region_name="us-east-1")
made = kms.create_key()["KeyMetadata"]
sm.update_secret(SecretId="s", KmsKeyId=made["KeyId"])
iam.put_user_policy(UserName="app", PolicyName="k", PolicyDocument=allow("kms:*"))
soon("done", read)
kms.disable_key(KeyId=made["KeyId"])
soon("DecryptionFailure", read)
kms.enable_key(KeyId=made["KeyId"])
soon("done", read)
kms.put_key_policy(KeyId=made["KeyId"], Policy=trust(f"arn:aws:iam::{ACCOUNT}:role/reader", "kms:*", Resource="*"),
                   BypassPolicyLockoutSafetyCheck=True)
soon(DENIED, read)
