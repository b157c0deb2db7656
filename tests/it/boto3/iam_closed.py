# A user without a policy finds every operation of every service closed, or its parameters are refused before; never anything done.
import urllib.error, urllib.request
import botocore, botocore.auth, botocore.awsrequest, botocore.credentials
sm.create_secret(Name="s", SecretString="value")
iam.create_user(UserName="nobody")
iam.create_user(UserName="other")
iam.create_role(RoleName="role", AssumeRolePolicyDocument=trust(f"arn:aws:iam::{ACCOUNT}:user/other"))
key = iam.create_access_key(UserName="nobody")["AccessKey"]
kms = boto3.client("kms", endpoint_url=ENDPOINT, config=QUIET, region_name="us-east-1")
kms_key = kms.create_key()["KeyMetadata"]["KeyId"]
kms.create_alias(AliasName="alias/there", TargetKeyId=kms_key)
sealed = kms.encrypt(KeyId=kms_key, Plaintext=b"x")["CiphertextBlob"]
OPEN = {"GetCallerIdentity", "GetSessionToken"}
# Their callers sign nothing.
OPEN |= {"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}
GIVEN = {"SecretId": "s", "UserName": "other", "RoleName": "role", "GroupName": "g", "FunctionName": "f", "Name": "name",
         "PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess", "PolicyName": "p", "AccessKeyId": key["AccessKeyId"],
         "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/role", "RoleSessionName": "session", "SecretIdList": ["s"],
         "KeyId": kms_key, "TargetKeyId": kms_key, "DestinationKeyId": kms_key, "AliasName": "alias/there", "CiphertextBlob": sealed,
         "Policy": trust(ACCOUNT, "kms:*", Resource="*"), "MacAlgorithm": "HMAC_SHA_256", "PermissionsBoundary": "arn:aws:iam::aws:policy/ReadOnlyAccess", "ClientRequestToken": "t" * 32,
         "PolicyDocument": allow("*"), "AssumeRolePolicyDocument": trust(ACCOUNT), "ResourcePolicy": trust(ACCOUNT, "secretsmanager:GetSecretValue", Resource="*"),
         "VersionId": "v1", "Status": "Inactive", "SecretString": "x", "TagKeys": ["k"], "Tags": [{"Key": "k", "Value": "v"}]}
def value(shape, name):
    if name == "Tags" and shape.type_name == "list" and "TagKey" in getattr(shape.member, "members", {}):
        return [{"TagKey": "k", "TagValue": "v"}]
    if isinstance(GIVEN.get(name), {"string": str, "list": list, "blob": bytes}.get(shape.type_name, tuple)):
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
    if shape and "NumberOfBytes" in shape.members: given["NumberOfBytes"] = 32
    if shape and "CiphertextBlob" in shape.members: given["CiphertextBlob"] = sealed
    if name == "PutSecretValue": given["SecretString"] = "x"
    if name == "BatchGetSecretValue": given["SecretIdList"] = ["s"]
    return given
# Pawl's own operations, which no SDK knows.
PAWL = {"AdvanceClock": {"Seconds": 1}, "ApproveFunction": {"FunctionName": "f", "Grants": ""}, "CheckSecret": {"SecretId": "s"},
        "DescribeFunctionGrants": {"FunctionName": "f"}, "DescribeHost": {}, "DescribeRotation": {"SecretId": "s"}, "ListEvents": {},
        "ListFunctionLogs": {"FunctionName": "pawl-postgres-single-user"}, "ListRotations": {"SecretId": "s"}, "PlanRotations": {}}
def own_operation(key, name):
    """Code and message of what comes of one of them."""
    request = botocore.awsrequest.AWSRequest(method="POST", url=ENDPOINT + "/", data=json.dumps(PAWL[name]).encode(),
        headers={"X-Amz-Target": f"Pawl.{name}", "Content-Type": "application/x-amz-json-1.1"})
    signer = botocore.credentials.Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    botocore.auth.SigV4Auth(signer, "pawl", "us-east-1").add_auth(request)
    made = request.prepare()
    try:
        urllib.request.urlopen(urllib.request.Request(made.url, data=made.body, headers=dict(made.headers), method="POST"))
        return "", ""
    except urllib.error.HTTPError as refused:
        body = json.load(refused)
        return body["__type"], body.get("message") or body.get("Message") or ""
def judged(code, message):
    if code in ("AccessDenied", "AccessDeniedException") and "is not authorized to perform: " in message:
        return "denied"
    if code in ("InvalidAction", "UnknownOperationException", "UnsupportedOperationException", "InvalidRequestContentException",
                "ValidationException", "InvalidParameterException", "InvalidParameterValueException", "InvalidRequestException"):
        return "unserved"
    return "let"
def asked(key, only=None):
    """What comes of every operation: denied, let (whatever became of it), or refused before anybody asks who wants it."""
    found = {}
    for service in ["secretsmanager", "iam", "sts", "lambda", "kms"]:
        mine = client(service, key)
        for name in mine.meta.service_model.operation_names:
            if name in OPEN or only is not None and (service, name) not in only:
                continue
            given = given_for(service, name, mine.meta.service_model.operation_model(name).input_shape)
            try:
                getattr(mine, botocore.xform_name(name))(**given)
                found[service, name] = "let"
            except ClientError as refused:
                error = refused.response["Error"]
                found[service, name] = judged(error["Code"], error.get("Message") or refused.response.get("message") or "")
    for name in PAWL:
        if only is None or ("pawl", name) in only:
            found["pawl", name] = judged(*own_operation(key, name))
    return found
before = asked(key)
assert "let" not in before.values(), [of for of, what in before.items() if what == "let"]
closed = [name for (_, name), what in before.items() if what == "denied"]
unserved = [name for (_, name), what in before.items() if what == "unserved"]
served = {"GetSecretValue", "CreateSecret", "PutSecretValue", "DeleteSecret", "GetRandomPassword", "ListSecrets",
          "CreateUser", "CreateAccessKey", "DeleteUser", "PutUserPolicy", "AttachRolePolicy", "CreateRole", "AssumeRole",
          "ListFunctions", "CreatePolicy", "Decrypt", "Encrypt", "GenerateDataKey", "PutKeyPolicy", "ScheduleKeyDeletion", "CreateKey",
          "UpdateAlias", *PAWL, "UpdateAssumeRolePolicy", "UpdateAccessKey", "BatchGetSecretValue"}
assert served <= set(closed), [(of, what) for of, what in before.items() if of[1] in served - set(closed)]
assert len(closed) > 100, (len(closed), unserved)
assert [of["UserName"] for of in iam.list_users()["Users"]] == ["nobody", "other"]
assert sm.get_secret_value(SecretId="s")["SecretString"] == "value"

# The same for some of the built-in policies: which operations they open. The golden file is what was looked over.
POLICIES = ["ReadOnlyAccess", "IAMReadOnlyAccess", "AWSLambda_FullAccess", "SecretsManagerReadWrite", "PawlOperator"]
operator = iam.create_policy(PolicyName="PawlOperator", PolicyDocument=allow("pawl:*"))["Policy"]["Arn"]
rows = {of: [] for of, what in before.items() if what == "denied"}
for policy in POLICIES:
    iam.create_user(UserName=policy)
    iam.attach_user_policy(UserName=policy, PolicyArn=operator if policy == "PawlOperator" else f"arn:aws:iam::aws:policy/{policy}")
    found = asked(iam.create_access_key(UserName=policy)["AccessKey"], set(rows))
    for of, row in rows.items():
        row.append("-" if found[of] == "denied" else "yes")
lines = ["operation " + " ".join(POLICIES)]
lines += [f"{service}:{name} " + " ".join(row) for (service, name), row in sorted(rows.items())]
matrix = "\n".join(lines) + "\n"
if matrix != args.get("matrix"):
    print(matrix)
    raise AssertionError("the matrix of operations and policies is another one (tests/it/boto3/iam_matrix.txt)")
