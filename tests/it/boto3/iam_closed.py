# A user without a policy finds every operation of every service closed, or its parameters are refused before; never anything done.
import botocore
sm.create_secret(Name="s", SecretString="value")
iam.create_user(UserName="nobody")
iam.create_user(UserName="other")
iam.create_role(RoleName="role", AssumeRolePolicyDocument=trust(f"arn:aws:iam::{ACCOUNT}:user/other"))
key = iam.create_access_key(UserName="nobody")["AccessKey"]
OPEN = {"GetCallerIdentity", "GetSessionToken"}
# Their callers sign nothing.
OPEN |= {"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}
GIVEN = {"SecretId": "s", "UserName": "other", "RoleName": "role", "GroupName": "g", "FunctionName": "f", "Name": "name",
         "PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess", "PolicyName": "p", "AccessKeyId": key["AccessKeyId"],
         "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/role", "RoleSessionName": "session", "SecretIdList": ["s"],
         "PermissionsBoundary": "arn:aws:iam::aws:policy/ReadOnlyAccess", "ClientRequestToken": "t" * 32,
         "PolicyDocument": allow("*"), "AssumeRolePolicyDocument": trust(ACCOUNT), "ResourcePolicy": trust(ACCOUNT, "secretsmanager:GetSecretValue", Resource="*"),
         "VersionId": "v1", "Status": "Inactive", "SecretString": "x", "TagKeys": ["k"], "Tags": [{"Key": "k", "Value": "v"}]}
def value(shape, name):
    if isinstance(GIVEN.get(name), {"string": str, "list": list}.get(shape.type_name, tuple)):
        return GIVEN[name]
    if shape.type_name == "structure":
        return {member: value(of, member) for member, of in shape.members.items() if member in shape.required_members}
    if shape.type_name == "list":
        return [value(shape.member, "")]
    if shape.type_name == "map":
        return {"k": "v"}
    if shape.type_name in ("integer", "long"):
        return max(1, shape.metadata.get("min", 1))
    if shape.type_name == "boolean":
        return True
    if shape.type_name == "blob":
        return b"x"
    if shape.enum:
        return shape.enum[0]
    return "x" * max(1, shape.metadata.get("min", 1))
def given_for(service, name, shape):
    given = value(shape, "") if shape else {}
    if shape and "SecretId" in shape.members: given["SecretId"] = "s"
    if shape and "UserName" in shape.members: given["UserName"] = "other"
    if name == "PutSecretValue": given["SecretString"] = "x"
    if name == "BatchGetSecretValue": given["SecretIdList"] = ["s"]
    return given
def asked(key, only=None):
    """What comes of every operation: denied, let (whatever became of it), or refused before anybody asks who wants it."""
    found = {}
    for service in ["secretsmanager", "iam", "sts", "lambda"]:
        mine = client(service, key)
        for name in mine.meta.service_model.operation_names:
            if name in OPEN or only is not None and (service, name) not in only:
                continue
            given = given_for(service, name, mine.meta.service_model.operation_model(name).input_shape)
            try:
                getattr(mine, botocore.xform_name(name))(**given)
            except ClientError as refused:
                code = refused.response["Error"]["Code"]
                message = refused.response["Error"].get("Message") or refused.response.get("message") or ""
                if code in ("AccessDenied", "AccessDeniedException") and "is not authorized to perform: " in message:
                    found[service, name] = "denied"
                    continue
                if code in ("InvalidAction", "UnknownOperationException", "InvalidRequestContentException",
                            "ValidationException", "InvalidParameterException", "InvalidParameterValueException",
                            "InvalidRequestException"):
                    found[service, name] = "unserved"
                    continue
            found[service, name] = "let"
    return found
before = asked(key)
assert "let" not in before.values(), [of for of, what in before.items() if what == "let"]
closed = [name for (_, name), what in before.items() if what == "denied"]
unserved = [name for (_, name), what in before.items() if what == "unserved"]
served = {"GetSecretValue", "CreateSecret", "PutSecretValue", "DeleteSecret", "GetRandomPassword", "ListSecrets",
          "CreateUser", "CreateAccessKey", "DeleteUser", "PutUserPolicy", "AttachRolePolicy", "CreateRole", "AssumeRole",
          "ListFunctions", "CreatePolicy", "UpdateAssumeRolePolicy", "UpdateAccessKey", "BatchGetSecretValue"}
assert served <= set(closed), served - set(closed)
assert len(closed) > 100, (len(closed), unserved)
assert [of["UserName"] for of in iam.list_users()["Users"]] == ["nobody", "other"]
assert sm.get_secret_value(SecretId="s")["SecretString"] == "value"

# The same for some of the built-in policies: which operations they open. The golden file is what was looked over.
POLICIES = ["ReadOnlyAccess", "IAMReadOnlyAccess", "AWSLambda_FullAccess", "SecretsManagerReadWrite"]
rows = {of: [] for of, what in before.items() if what == "denied"}
for policy in POLICIES:
    iam.create_user(UserName=policy)
    iam.attach_user_policy(UserName=policy, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
    found = asked(iam.create_access_key(UserName=policy)["AccessKey"], set(rows))
    for of, row in rows.items():
        row.append("-" if found[of] == "denied" else "yes")
lines = ["operation " + " ".join(POLICIES)]
lines += [f"{service}:{name} " + " ".join(row) for (service, name), row in sorted(rows.items())]
matrix = "\n".join(lines) + "\n"
if matrix != args.get("matrix"):
    print(matrix)
    raise AssertionError("the matrix of operations and policies is another one (tests/it/boto3/iam_matrix.txt)")
