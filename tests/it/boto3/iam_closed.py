# A user without a policy finds every operation of every service closed, or its parameters are refused before; never anything done.
import botocore
sm.create_secret(Name="s", SecretString="value")
iam.create_user(UserName="nobody")
iam.create_user(UserName="other")
iam.create_role(RoleName="role", AssumeRolePolicyDocument=trust(f"arn:aws:iam::{ACCOUNT}:user/other"))
key = iam.create_access_key(UserName="nobody")["AccessKey"]
OPEN = {"GetCallerIdentity", "GetSessionToken"}
GIVEN = {"SecretId": "s", "UserName": "other", "RoleName": "role", "GroupName": "g", "FunctionName": "f", "Name": "n",
         "PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess", "PolicyName": "p", "AccessKeyId": key["AccessKeyId"],
         "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/role", "RoleSessionName": "session", "SecretIdList": ["s"],
         "PermissionsBoundary": "arn:aws:iam::aws:policy/ReadOnlyAccess", "ClientRequestToken": "t" * 32,
         "PolicyDocument": allow("*"), "AssumeRolePolicyDocument": trust(ACCOUNT), "ResourcePolicy": allow("*"),
         "VersionId": "v1", "Status": "Inactive", "SecretString": "x", "TagKeys": ["k"], "Tags": [{"Key": "k", "Value": "v"}]}
def value(shape, name):
    if name in GIVEN:
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
closed, unserved = [], []
for service in ["secretsmanager", "iam", "sts", "lambda"]:
    mine = client(service, key)
    names = mine.meta.service_model.operation_names
    for name in names:
        if name in OPEN:
            continue
        shape = mine.meta.service_model.operation_model(name).input_shape
        given = value(shape, "") if shape else {}
        if shape and "SecretId" in shape.members: given["SecretId"] = "s"
        if shape and "UserName" in shape.members: given["UserName"] = "other"
        if name == "BatchGetSecretValue": given["SecretIdList"] = ["s"]
        call = getattr(mine, botocore.xform_name(name))
        try:
            status, code, message = error(call, **given)
        except botocore.exceptions.ParamValidationError as refused:
            raise AssertionError(f"{name} {given}: {refused}")
        if code in ("InvalidAction", "UnknownOperationException", "ResourceNotFoundException", "InvalidRequestContentException"):
            unserved.append(name)
            continue
        assert code in ("AccessDenied", "AccessDeniedException"), (name, given, status, code, message)
        closed.append(name)
served = {"GetSecretValue", "CreateSecret", "PutSecretValue", "DeleteSecret", "GetRandomPassword", "ListSecrets",
          "CreateUser", "CreateAccessKey", "DeleteUser", "PutUserPolicy", "AttachRolePolicy", "CreateRole", "AssumeRole",
          "ListFunctions", "CreatePolicy", "UpdateAssumeRolePolicy", "UpdateAccessKey", "BatchGetSecretValue"}
assert served <= set(closed), served - set(closed)
assert len(closed) > 100, (len(closed), unserved)
assert [of["UserName"] for of in iam.list_users()["Users"]] == ["nobody", "other"]
assert sm.get_secret_value(SecretId="s")["SecretString"] == "value"
