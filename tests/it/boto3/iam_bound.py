# A policy of a secret, a key or a role names users and roles by ARN, and means those who have it when it is written: somebody else who
# is made under the name later is nobody to it, as on AWS, where such a policy then shows the id of whoever is gone.
kms = boto3.client("kms", endpoint_url=ENDPOINT, config=QUIET, region_name="us-east-1")
def arn(kind, name): return f"arn:aws:iam::{ACCOUNT}:{kind}/{name}"
def principals(text):
    return sorted(str(statement["Principal"]["AWS"]) for statement in json.loads(text)["Statement"])

def made(name):
    user = iam.create_user(UserName=name)["User"]
    return user["UserId"], iam.create_access_key(UserName=name)["AccessKey"]

def gone(name):
    for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=name)

ann, first = made("ann")
ARN = arn("user", "ann")
sm.create_secret(Name="s", SecretString="x")
spelt = '{ "Version":"2012-10-17",   "Statement":[{"Effect":"Allow","Principal":{"AWS":"%s"},"Action":"secretsmanager:GetSecretValue","Resource":"*"}]}' % ARN
sm.put_resource_policy(SecretId="s", ResourcePolicy=spelt)
grown = json.loads(trust(ARN, "kms:*", Resource="*"))
grown["Statement"].append({"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"})
key = kms.create_key(Policy=json.dumps(grown))["KeyMetadata"]["KeyId"]
iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust(ARN))

def closed(who):
    """Which of the three doors are closed to somebody."""
    doors = [lambda: client("secretsmanager", who).get_secret_value(SecretId="s"),
             lambda: client("kms", who).encrypt(KeyId=key, Plaintext=b"x"),
             lambda: client("sts", who).assume_role(RoleArn=arn("role", "r"), RoleSessionName="me")]
    found = []
    for door in doors:
        try:
            door()
            found.append(False)
        except ClientError as refused:
            assert refused.response["Error"]["Code"].startswith("AccessDenied"), refused
            found.append(True)
    return found

def shown():
    return [sm.get_resource_policy(SecretId="s")["ResourcePolicy"], kms.get_key_policy(KeyId=key)["Policy"],
            json.dumps(iam.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"])]

assert closed(first) == [False, False, False]
assert shown()[0] == spelt, "it is shown as it was given, to the blank"

# Who is called otherwise is the same, and shown by the new name.
iam.update_user(UserName="ann", NewUserName="anne", NewPath="/x/")
assert closed(first) == [False, False, False]
assert all(arn("user", "x/anne") in principals(text) and ARN not in principals(text) for text in shown()), shown()
# Nobody gets what she has by taking her former name.
_, other = made("ann")
assert closed(other) == [True, True, True]
gone("ann")
iam.update_user(UserName="anne", NewUserName="ann", NewPath="/")
assert closed(first) == [False, False, False] and shown()[0] == spelt

# Who is gone is gone.
gone("ann")
assert all(ann in principals(text) and ARN not in principals(text) for text in shown()), shown()
again, second = made("ann")
assert again != ann
assert closed(second) == [True, True, True], "she has the name, and nothing else of the other one"
assert all(ann in principals(text) for text in shown()), "and the policies still tell of the other one"
# An id is not to be written into a policy; AWS refuses it as well.
assert error(sm.put_resource_policy, SecretId="s", ResourcePolicy=shown()[0])[1] == "MalformedPolicyDocumentException"
# The same text again means her.
sm.put_resource_policy(SecretId="s", ResourcePolicy=spelt)
kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(grown))
iam.update_assume_role_policy(RoleName="r", PolicyDocument=trust(ARN))
assert closed(second) == [False, False, False] and shown()[0] == spelt

# Roles as well: their sessions.
def role(name):
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(ARN))
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=allow("sts:AssumeRole"))
    return client("sts", second).assume_role(RoleArn=arn("role", name), RoleSessionName="me")["Credentials"]
session = role("worker")
sm.put_resource_policy(SecretId="s", ResourcePolicy=trust(arn("role", "worker"), "secretsmanager:GetSecretValue", Resource="*"))
assert client("secretsmanager", session).get_secret_value(SecretId="s")["SecretString"] == "x"
iam.delete_role(RoleName="worker")
session = role("worker")
assert error(client("secretsmanager", session).get_secret_value, SecretId="s")[1] == "AccessDeniedException"
assert principals(sm.get_resource_policy(SecretId="s")["ResourcePolicy"])[0].startswith("AROA")

# A denial goes on to be of whoever is gone, too; conditions compare ARNs, as on AWS.
sm.put_resource_policy(SecretId="s", ResourcePolicy=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*", "Condition": {"ArnEquals": {"aws:PrincipalArn": ARN}}}]}))
assert client("secretsmanager", second).get_secret_value(SecretId="s")["SecretString"] == "x"
gone_before = second
iam.delete_user_policy(UserName="ann", PolicyName="p")
gone("ann")
_, third = made("ann")
assert client("secretsmanager", third).get_secret_value(SecretId="s")["SecretString"] == "x"

# Whom a policy names before he is there is whoever comes under that name.
sm.put_resource_policy(SecretId="s", ResourcePolicy=trust(arn("user", "later"), "secretsmanager:GetSecretValue", Resource="*"))
_, later = made("later")
assert client("secretsmanager", later).get_secret_value(SecretId="s")["SecretString"] == "x"
