# Every condition key that requests here have, looked at where it decides: as a condition of an Allow and of a Deny, with a value that
# the request has and with one that it has not.
key = boto3.client("kms", endpoint_url=ENDPOINT, config=QUIET, region_name="us-east-1").create_key(
    Tags=[{"TagKey": "team", "TagValue": "blue"}])["KeyMetadata"]
root_kms = boto3.client("kms", endpoint_url=ENDPOINT, config=QUIET, region_name="us-east-1")
root_kms.create_alias(AliasName="alias/shop", TargetKeyId=key["KeyId"])
ROTATOR = "arn:aws:lambda:us-east-1:000000000000:function:pawl-postgres-single-user"
one = sm.create_secret(Name="one", SecretString="first", Tags=[{"Key": "team", "Value": "blue"}], AddReplicaRegions=[{"Region": "eu-west-1"}])
two = sm.put_secret_value(SecretId="one", SecretString="second")
under = sm.create_secret(Name="under", SecretString="x", KmsKeyId=key["KeyId"])
try:
    sm.rotate_secret(SecretId="one", RotationLambdaARN=ROTATOR, RotateImmediately=False, RotationRules={"AutomaticallyAfterDays": 30})
except ClientError as refused_by_shape:
    assert refused_by_shape.response["Error"]["Code"] != "AccessDeniedException"
user = iam.create_user(UserName="app", Path="/apps/", Tags=[{"Key": "team", "Value": "blue"}])["User"]
mine = iam.create_access_key(UserName="app")["AccessKey"]
fence = iam.create_policy(PolicyName="fence", PolicyDocument=allow("*"))["Policy"]["Arn"]
iam.create_user(UserName="fenced", PermissionsBoundary=fence, Tags=[{"Key": "team", "Value": "red"}])
iam.create_role(RoleName="rotator", AssumeRolePolicyDocument=trust(ACCOUNT), Tags=[{"Key": "team", "Value": "red"}])
iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust(ACCOUNT))
iam.create_role(RoleName="tagged", AssumeRolePolicyDocument=trust(ACCOUNT, ["sts:AssumeRole", "sts:TagSession"]))
s, k, i, t, f = [client(service, mine) for service in ["secretsmanager", "kms", "iam", "sts", "lambda"]]
replica = boto3.client("secretsmanager", endpoint_url=ENDPOINT, config=QUIET, region_name="eu-west-1",
                       aws_access_key_id=mine["AccessKeyId"], aws_secret_access_key=mine["SecretAccessKey"])
sealed = root_kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext={"app": "shop"})["CiphertextBlob"]
arn = lambda kind, name: f"arn:aws:iam::{ACCOUNT}:{kind}/{name}"

SM = "secretsmanager:"
def get(**more): return lambda: s.get_secret_value(SecretId="one", **more)
def rotate(**more): return lambda: s.rotate_secret(SecretId="one", **more)
def decrypt(): return k.decrypt(CiphertextBlob=sealed, EncryptionContext={"app": "shop"})
def through(): return s.get_secret_value(SecretId="under")
def update_key(name): return lambda: s.update_secret(SecretId="one", KmsKeyId=name)
def replicate(): return s.replicate_secret_to_regions(
    SecretId="one", AddReplicaRegions=[{"Region": "eu-west-1"}], ForceOverwriteReplicaSecret=True)
def tag(): return s.tag_resource(SecretId="one", Tags=[{"Key": "k", "Value": "v"}])
def public(): return s.put_resource_policy(SecretId="one", BlockPublicPolicy=True, ResourcePolicy=json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "secretsmanager:DescribeSecret", "Resource": "*"}]}))
def make(**more):
    # Refused for another reason than the policy's when it is there already: what is asked here is whether it is let.
    return lambda: s.create_secret(Name="made", SecretString="x", ClientRequestToken="t" * 32, **more)
def delete(**more): return lambda: s.delete_secret(SecretId="gone-already", **more)
def function(): return f.create_function(FunctionName="fn", Role=arn("role", "rotator"), Runtime="provided", Handler="h",
                                         Code={"ZipFile": b"no component"})
def attach(): return i.attach_user_policy(UserName="fenced", PolicyArn=fence)
def assume(): return t.assume_role(RoleArn=arn("role", "worker"), RoleSessionName="tt", ExternalId="word")

describe = lambda: s.describe_secret(SecretId="one")
ROWS = [  # operator, key, a value that the request has, one that it has not, the action, the call
    ("StringEquals", SM + "SecretId", one["ARN"], under["ARN"], SM + "DescribeSecret", describe),
    ("ArnLike", SM + "SecretId", one["ARN"][:-6] + "??????", under["ARN"], SM + "DescribeSecret", describe),
    ("StringEquals", SM + "ResourceTag/team", "blue", "red", SM + "DescribeSecret", describe),
    ("StringEquals", "aws:ResourceTag/team", "blue", "red", SM + "DescribeSecret", describe),
    ("StringEquals", SM + "VersionStage", "AWSCURRENT", "AWSPREVIOUS", SM + "GetSecretValue", get()),
    ("StringEquals", SM + "VersionStage", "AWSPREVIOUS", "AWSCURRENT", SM + "GetSecretValue", get(VersionStage="AWSPREVIOUS")),
    ("StringEquals", SM + "VersionId", two["VersionId"], one["VersionId"], SM + "GetSecretValue", get(VersionId=two["VersionId"])),
    ("StringEquals", SM + "resource/AllowRotationLambdaArn", ROTATOR, ROTATOR + "x", SM + "DescribeSecret", describe),
    ("StringEquals", SM + "SecretPrimaryRegion", "us-east-1", "eu-west-1", SM + "DescribeSecret", lambda: replica.describe_secret(SecretId="one")),
    ("StringEquals", SM + "Name", "made", "other", SM + "CreateSecret", make()),
    ("StringEquals", SM + "Description", "mine", "other", SM + "CreateSecret", make(Description="mine")),
    ("StringEquals", SM + "Description", "mine", "other", SM + "UpdateSecret", lambda: s.update_secret(SecretId="one", Description="mine")),
    ("StringEquals", SM + "KmsKeyId", key["KeyId"], "alias/shop", SM + "UpdateSecret", update_key(key["KeyId"])),
    ("StringEquals", SM + "KmsKeyId", "alias/shop", key["KeyId"], SM + "CreateSecret", make(KmsKeyId="alias/shop")),
    ("ArnEquals", SM + "KmsKeyArn", key["Arn"], key["Arn"] + "x", SM + "UpdateSecret", update_key("alias/shop")),
    ("ArnEquals", SM + "KmsKeyArn", key["Arn"], key["Arn"] + "x", SM + "CreateSecret", make(KmsKeyId=key["KeyId"])),
    ("NumericEquals", SM + "RecoveryWindowInDays", "7", "30", SM + "DeleteSecret", delete(RecoveryWindowInDays=7)),
    ("NumericLessThan", SM + "RecoveryWindowInDays", "30", "7", SM + "DeleteSecret", delete(RecoveryWindowInDays=7)),
    ("Bool", SM + "ForceDeleteWithoutRecovery", "true", "false", SM + "DeleteSecret", delete(ForceDeleteWithoutRecovery=True)),
    ("ArnEquals", SM + "RotationLambdaARN", ROTATOR, ROTATOR + "x", SM + "RotateSecret", rotate(RotationLambdaARN=ROTATOR, RotateImmediately=False)),
    ("Bool", SM + "RotateImmediately", "false", "true", SM + "RotateSecret", rotate(RotateImmediately=False)),
    ("Bool", SM + "ModifyRotationRules", "true", "false", SM + "RotateSecret", rotate(RotateImmediately=False, RotationRules={"AutomaticallyAfterDays": 7})),
    ("Bool", SM + "BlockPublicPolicy", "true", "false", SM + "PutResourcePolicy", public),
    ("ForAnyValue:StringEquals", SM + "AddReplicaRegions", "eu-west-1", "eu-west-2", SM + "ReplicateSecretToRegions", replicate),
    ("Bool", SM + "ForceOverwriteReplicaSecret", "true", "false", SM + "ReplicateSecretToRegions", replicate),
    ("StringEquals", "aws:RequestTag/k", "v", "w", SM + "TagResource", tag),
    ("ForAnyValue:StringEquals", "aws:TagKeys", "k", "l", SM + "TagResource", tag),
    ("ForAnyValue:StringEquals", "aws:TagKeys", "k", "l", SM + "UntagResource", lambda: s.untag_resource(SecretId="one", TagKeys=["k"])),
    # What is known of every request.
    ("IpAddress", "aws:SourceIp", "127.0.0.0/8", "10.0.0.0/8", SM + "GetSecretValue", get()),
    ("StringEquals", "aws:PrincipalTag/team", "blue", "red", SM + "GetSecretValue", get()),
    ("DateGreaterThan", "aws:CurrentTime", "2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z", SM + "GetSecretValue", get()),
    ("NumericGreaterThan", "aws:EpochTime", "1577836800", "4102444800", SM + "GetSecretValue", get()),
    ("ArnEquals", "aws:PrincipalArn", user["Arn"], user["Arn"] + "x", SM + "GetSecretValue", get()),
    ("StringEquals", "aws:PrincipalAccount", ACCOUNT, "111111111111", SM + "GetSecretValue", get()),
    ("StringEquals", "aws:ResourceAccount", ACCOUNT, "111111111111", SM + "GetSecretValue", get()),
    ("StringEquals", "aws:PrincipalType", "User", "AssumedRole", SM + "GetSecretValue", get()),
    ("StringEquals", "aws:userid", user["UserId"], "AIDAX", SM + "GetSecretValue", get()),
    ("StringEquals", "aws:username", "app", "apps/app", SM + "GetSecretValue", get()),
    ("Bool", "aws:SecureTransport", "false", "true", SM + "GetSecretValue", get()),
    ("Bool", "aws:ViaAWSService", "false", "true", SM + "GetSecretValue", get()),
    ("StringEquals", "aws:RequestedRegion", "us-east-1", "eu-west-1", SM + "GetSecretValue", get()),
    # Keys: directly, and through Secrets Manager.
    ("StringEquals", "kms:EncryptionContext:app", "shop", "bank", "kms:Decrypt", decrypt),
    ("ForAnyValue:StringEquals", "kms:EncryptionContextKeys", "app", "SecretARN", "kms:Decrypt", decrypt),
    ("StringEquals", "kms:CallerAccount", ACCOUNT, "111111111111", "kms:Decrypt", decrypt),
    ("StringEquals", "kms:KeySpec", "SYMMETRIC_DEFAULT", "HMAC_256", "kms:Decrypt", decrypt),
    ("StringEquals", "aws:ResourceTag/team", "blue", "red", "kms:Decrypt", decrypt),
    ("Bool", "aws:ViaAWSService", "false", "true", "kms:Decrypt", decrypt),
    ("StringEquals", "kms:RequestAlias", "alias/shop", "alias/other", "kms:Encrypt", lambda: k.encrypt(KeyId="alias/shop", Plaintext=b"x")),
    # By whichever name, or none, the key is asked for.
    ("ForAnyValue:StringEquals", "kms:ResourceAliases", "alias/shop", "alias/other", "kms:Decrypt", decrypt),
    ("ForAnyValue:StringLike", "kms:ResourceAliases", "alias/sh*", "alias/x*", "kms:DescribeKey", lambda: k.describe_key(KeyId=key["KeyId"])),
    ("ForAnyValue:StringEquals", "kms:ResourceAliases", "alias/shop", "alias/other", "kms:Decrypt", through),
    ("StringEquals", "aws:RequestTag/team", "blue", "red", "kms:CreateKey", lambda: k.create_key(Tags=[{"TagKey": "team", "TagValue": "blue"}])),
    ("ForAnyValue:StringEquals", "aws:TagKeys", "team", "other", "kms:CreateKey", lambda: k.create_key(Tags=[{"TagKey": "team", "TagValue": "blue"}])),
    ("ForAnyValue:StringEquals", "aws:TagKeys", "gone", "other", "kms:UntagResource", lambda: k.untag_resource(KeyId=key["KeyId"], TagKeys=["gone"])),
    ("StringEquals", "aws:ResourceTag/team", "blue", "red", "kms:UntagResource", lambda: k.untag_resource(KeyId=key["KeyId"], TagKeys=["gone"])),
    ("StringEquals", "kms:ViaService", "secretsmanager.us-east-1.amazonaws.com", "ssm.us-east-1.amazonaws.com", "kms:Decrypt", through),
    ("Bool", "aws:ViaAWSService", "true", "false", "kms:Decrypt", through),
    ("ForAnyValue:StringEquals", "aws:CalledVia", "secretsmanager.amazonaws.com", "ssm.amazonaws.com", "kms:Decrypt", through),
    ("StringEquals", "kms:EncryptionContext:SecretARN", under["ARN"], one["ARN"], "kms:Decrypt", through),
    ("StringEquals", "kms:EncryptionContext:SecretVersionId", under["VersionId"], one["VersionId"], "kms:Decrypt", through),
    ("StringEquals", "kms:EncryptionContext:SecretARN", under["ARN"], one["ARN"], "kms:GenerateDataKey",
     lambda: s.put_secret_value(SecretId="under", SecretString="x")),
    ("ForAnyValue:StringEquals", "aws:TagKeys", "team", "other", "kms:TagResource",
     lambda: k.tag_resource(KeyId=key["KeyId"], Tags=[{"TagKey": "team", "TagValue": "blue"}])),
    ("StringEquals", "aws:RequestTag/team", "blue", "red", "kms:TagResource",
     lambda: k.tag_resource(KeyId=key["KeyId"], Tags=[{"TagKey": "team", "TagValue": "blue"}])),
    ("Bool", "kms:BypassPolicyLockoutSafetyCheck", "true", "false", "kms:PutKeyPolicy",
     lambda: k.put_key_policy(KeyId=key["KeyId"], Policy=trust(ACCOUNT, "kms:*", Resource="*"), BypassPolicyLockoutSafetyCheck=True)),
    ("StringEquals", "kms:KeyUsage", "GENERATE_VERIFY_MAC", "ENCRYPT_DECRYPT", "kms:CreateKey",
     lambda: k.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")),
    # Identities.
    ("StringEquals", "iam:PassedToService", "lambda.amazonaws.com", "ec2.amazonaws.com", "iam:PassRole", function),
    ("ArnEquals", "iam:AssociatedResourceArn", "arn:aws:lambda:us-east-1:000000000000:function:fn", "arn:aws:lambda:us-east-1:000000000000:function:gn", "iam:PassRole", function),
    ("StringEquals", "iam:ResourceTag/team", "red", "blue", "iam:PassRole", function),
    ("ArnEquals", "iam:PolicyARN", fence, fence + "x", "iam:AttachUserPolicy", attach),
    ("StringEquals", "iam:PermissionsBoundary", fence, fence + "x", "iam:AttachUserPolicy", attach),
    ("StringEquals", "iam:ResourceTag/team", "red", "blue", "iam:AttachUserPolicy", attach),
    ("StringEquals", "aws:ResourceTag/team", "red", "blue", "iam:AttachUserPolicy", attach),
    ("StringEquals", "aws:RequestTag/k", "v", "w", "iam:TagUser", lambda: i.tag_user(UserName="fenced", Tags=[{"Key": "k", "Value": "v"}])),
    ("ForAnyValue:StringEquals", "aws:TagKeys", "k", "l", "iam:TagRole", lambda: i.tag_role(RoleName="rotator", Tags=[{"Key": "k", "Value": "v"}])),
    ("ForAnyValue:StringEquals", "aws:TagKeys", "k", "l", "iam:UntagUser", lambda: i.untag_user(UserName="fenced", TagKeys=["k"])),
    ("StringEquals", "aws:ResourceTag/team", "red", "blue", "iam:UntagRole", lambda: i.untag_role(RoleName="rotator", TagKeys=["k"])),
    ("StringEquals", "aws:RequestTag/k", "v", "w", "iam:CreateUser", lambda: i.create_user(UserName="fenced", Tags=[{"Key": "k", "Value": "v"}])),
    ("StringEquals", "aws:ResourceTag/team", "red", "blue", "sts:AssumeRole", lambda: t.assume_role(RoleArn=arn("role", "rotator"), RoleSessionName="tt")),
    ("StringEquals", "aws:RequestTag/k", "v", "w", "sts:TagSession",
     lambda: t.assume_role(RoleArn=arn("role", "tagged"), RoleSessionName="tt", Tags=[{"Key": "k", "Value": "v"}])),
    ("StringEquals", "aws:RequestTag/k", "v", "w", "lambda:CreateFunction", lambda: f.create_function(
        Role=arn("role", "rotator"), Runtime="provided", Handler="h", FunctionName="fn", Tags={"k": "v"}, Code={"ZipFile": b"no component"})),
    ("ForAnyValue:StringEquals", "aws:TagKeys", "k", "l", "lambda:CreateFunction", lambda: f.create_function(
        Role=arn("role", "rotator"), Runtime="provided", Handler="h", FunctionName="fn", Tags={"k": "v"}, Code={"ZipFile": b"no component"})),
    ("StringEquals", "sts:ExternalId", "word", "other", "sts:AssumeRole", assume),
    ("StringEquals", "sts:RoleSessionName", "tt", "uu", "sts:AssumeRole", assume),
]
# What calls need besides the action that is looked at.
BESIDE = {"iam:PassRole": ["lambda:CreateFunction"], "lambda:CreateFunction": ["iam:PassRole", "lambda:TagResource"], "iam:CreateUser": ["iam:TagUser"],
          "sts:TagSession": ["sts:AssumeRole"], "kms:CreateKey": ["kms:TagResource"], "kms:Decrypt": [SM + "GetSecretValue"], "kms:GenerateDataKey": [SM + "PutSecretValue"],
          SM + "RotateSecret": ["lambda:InvokeFunction"], SM + "GetSecretValue": ["kms:*"], SM + "UpdateSecret": ["kms:*"], SM + "CreateSecret": ["kms:*"]}

def let(call):
    try:
        call()
    except ClientError as refused:
        error, what = refused.response["Error"]["Code"], str(refused)
        if error in ("AccessDenied", "AccessDeniedException") and ("not authorized to perform" in what or "Access to KMS" in what):
            return False
    return True

sm.create_secret(Name="gone-already", SecretString="x")
wrong = []
for operator, condition, has, lacks, action, call in ROWS:
    for effect, value, expected in [("Allow", has, True), ("Allow", lacks, False), ("Deny", has, False), ("Deny", lacks, True)]:
        statements = [{"Effect": "Allow", "Action": BESIDE.get(action, []) + ([action] if effect == "Deny" else []), "Resource": "*"},
                      {"Effect": effect, "Action": action, "Resource": "*", "Condition": {operator: {condition: value}}}]
        statements = [statement for statement in statements if statement["Action"]]
        iam.put_user_policy(UserName="app", PolicyName="row", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}))
        if let(call) != expected:
            wrong.append((operator, condition, effect, value, action))
assert not wrong, wrong
assert len(ROWS) > 60
