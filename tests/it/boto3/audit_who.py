# A user, a session, a key of their own, and what is denied: the request ids by which their records are found.
kms = boto3.client("kms", endpoint_url=ENDPOINT, config=QUIET)
own = kms.create_key()["KeyMetadata"]
created = sm.create_secret(Name="db/app", SecretString="canary-value", KmsKeyId=own["KeyId"])
iam.create_user(UserName="app")
key = iam.create_access_key(UserName="app")["AccessKey"]
iam.put_user_policy(UserName="app", PolicyName="read", PolicyDocument=json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["secretsmanager:GetSecretValue", "kms:Decrypt"], "Resource": "*"},
                  {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}))
iam.create_role(RoleName="reader", AssumeRolePolicyDocument=trust(f"arn:aws:iam::{ACCOUNT}:user/app"))
iam.put_role_policy(RoleName="reader", PolicyName="read",
                    PolicyDocument=allow(["secretsmanager:GetSecretValue", "kms:Decrypt"]))
user = client("secretsmanager", key)
read = user.get_secret_value(SecretId="db/app")
assert read["SecretString"] == "canary-value"
try:
    user.delete_secret(SecretId="db/app")
    raise AssertionError("the user may delete")
except ClientError as refused:
    denied_id = refused.response["ResponseMetadata"]["RequestId"]
assumed = client("sts", key).assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/reader", RoleSessionName="s1")
session = client("secretsmanager", assumed["Credentials"])
session_read = session.get_secret_value(SecretId="db/app")
request = lambda answer: answer["ResponseMetadata"]["RequestId"]
print(json.dumps({
    "arn": created["ARN"], "key": key["AccessKeyId"], "key_arn": own["Arn"],
    "create": request(created), "user_read": request(read), "denied": denied_id, "assume": request(assumed),
    "session_key": assumed["Credentials"]["AccessKeyId"], "session_read": request(session_read),
}))
