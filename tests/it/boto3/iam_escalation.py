# The ways from a little to all that are known of AWS ("IAM Privilege Escalation - Methods and Mitigation"): whoever has just the named
# permission on just the named thing can do just that, and finds all others of them closed. That the one is enough is AWS's as well.
kms = boto3.client("kms", endpoint_url=ENDPOINT, config=QUIET, region_name="us-east-1")
lam = boto3.client("lambda", endpoint_url=ENDPOINT, config=QUIET, region_name="us-east-1")
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
def arn(kind, name): return f"arn:aws:iam::{ACCOUNT}:{kind}/{name}"
ALL = allow("*")
sm.create_secret(Name="crown", SecretString="jewels")
iam.create_user(UserName="boss")
iam.attach_user_policy(UserName="boss", PolicyArn=ADMIN)
BOSS = arn("user", "boss")
fence = iam.create_policy(PolicyName="fence", PolicyDocument=allow("iam:*"))["Policy"]["Arn"]
iam.create_group(GroupName="admins")
iam.attach_group_policy(GroupName="admins", PolicyArn=ADMIN)
iam.create_role(RoleName="admin", AssumeRolePolicyDocument=trust(BOSS))
iam.attach_role_policy(RoleName="admin", PolicyArn=ADMIN)

def ways(me, group, policy):
    """Each way: the action, the resource on which it is given, and the call."""
    i, t, l = [client(service, me["key"]) for service in ["iam", "sts", "lambda"]]
    name, own = me["name"], arn("user", me["name"])
    function = {"FunctionName": "mine", "Runtime": "provided", "Handler": "h", "Code": {"ZipFile": b"no component"}}
    return {
        "iam:CreatePolicyVersion": (policy, lambda: i.create_policy_version(PolicyArn=policy, PolicyDocument=ALL, SetAsDefault=True)),
        "iam:SetDefaultPolicyVersion": (policy, lambda: i.set_default_policy_version(PolicyArn=policy, VersionId="v2")),
        "iam:CreateAccessKey": (BOSS, lambda: i.create_access_key(UserName="boss")),
        "iam:UpdateAccessKey": (BOSS, lambda: i.update_access_key(UserName="boss", AccessKeyId=boss_key, Status="Active")),
        "iam:AttachUserPolicy": (own, lambda: i.attach_user_policy(UserName=name, PolicyArn=ADMIN)),
        "iam:AttachGroupPolicy": (arn("group", group), lambda: i.attach_group_policy(GroupName=group, PolicyArn=ADMIN)),
        "iam:AttachRolePolicy": (arn("role", "weak"), lambda: i.attach_role_policy(RoleName="weak", PolicyArn=ADMIN)),
        "iam:PutUserPolicy": (own, lambda: i.put_user_policy(UserName=name, PolicyName="x", PolicyDocument=ALL)),
        "iam:PutGroupPolicy": (arn("group", group), lambda: i.put_group_policy(GroupName=group, PolicyName="x", PolicyDocument=ALL)),
        "iam:PutRolePolicy": (arn("role", "weak"), lambda: i.put_role_policy(RoleName="weak", PolicyName="x", PolicyDocument=ALL)),
        "iam:AddUserToGroup": (arn("group", "admins"), lambda: i.add_user_to_group(GroupName="admins", UserName=name)),
        "iam:RemoveUserFromGroup": (arn("group", group), lambda: i.remove_user_from_group(GroupName=group, UserName=name)),
        "iam:UpdateAssumeRolePolicy": (arn("role", "admin"), lambda: i.update_assume_role_policy(RoleName="admin", PolicyDocument=trust(own))),
        "iam:DeleteUserPermissionsBoundary": (own, lambda: i.delete_user_permissions_boundary(UserName=name)),
        "iam:PutUserPermissionsBoundary": (own, lambda: i.put_user_permissions_boundary(UserName=name, PermissionsBoundary=ADMIN)),
        "iam:DeleteUserPolicy": (own, lambda: i.delete_user_policy(UserName=name, PolicyName="deny")),
        "iam:DetachUserPolicy": (own, lambda: i.detach_user_policy(UserName=name, PolicyArn=policy)),
        "iam:DeleteRolePermissionsBoundary": (arn("role", "weak"), lambda: i.delete_role_permissions_boundary(RoleName="weak")),
        "iam:CreateRole": (arn("role", "made"), lambda: i.create_role(RoleName="made", AssumeRolePolicyDocument=trust(own))),
        "iam:CreateUser": (arn("user", "made"), lambda: i.create_user(UserName="made")),
        "iam:UpdateUser": (own, lambda: i.update_user(UserName=name, NewUserName="boss2")),
        "iam:TagUser": (own, lambda: i.tag_user(UserName=name, Tags=[{"Key": "team", "Value": "red"}])),
        "iam:CreateOpenIDConnectProvider": (arn("oidc-provider", "x.example"), lambda: i.create_open_id_connect_provider(Url="https://x.example")),
        "iam:AddClientIDToOpenIDConnectProvider": (arn("oidc-provider", "y.example"), lambda: i.add_client_id_to_open_id_connect_provider(
            OpenIDConnectProviderArn=arn("oidc-provider", "y.example"), ClientID="mine")),
        "sts:AssumeRole": (arn("role", "admin"), lambda: t.assume_role(RoleArn=arn("role", "admin"), RoleSessionName="me")),
        # A function is given a role only by who may pass it, however much he may do with functions.
        "iam:PassRole": (arn("role", "admin"), lambda: l.create_function(Role=arn("role", "admin"), **function)),
        "lambda:CreateFunction": ("arn:aws:lambda:us-east-1:000000000000:function:mine", lambda: l.create_function(Role=arn("role", "admin"), **function)),
    }

# What the one permission is not enough for: something else is to be had as well, as on AWS.
NOT_ALONE = {"sts:AssumeRole", "iam:PassRole", "lambda:CreateFunction", "iam:UpdateUser", "iam:PutUserPermissionsBoundary", "iam:DeleteUserPermissionsBoundary"}
iam.create_role(RoleName="weak", AssumeRolePolicyDocument=trust(BOSS), PermissionsBoundary=fence)
iam.create_open_id_connect_provider(Url="https://y.example")
boss_key = iam.create_access_key(UserName="boss")["AccessKey"]["AccessKeyId"]
iam.update_access_key(UserName="boss", AccessKeyId=boss_key, Status="Inactive")

def is_denied(call):
    try:
        call()
    except ClientError as refused:
        code, message = refused.response["Error"]["Code"], str(refused)
        assert code not in ("ValidationError", "ValidationException"), message
        return code in ("AccessDenied", "AccessDeniedException")
    return False

# Nobody who has nothing gets in by any of them.
iam.create_user(UserName="nobody", PermissionsBoundary=fence)
iam.create_group(GroupName="own-nobody")
policy = iam.create_policy(PolicyName="own-nobody", PolicyDocument=allow("sts:GetCallerIdentity"))["Policy"]["Arn"]
nobody = {"name": "nobody", "key": iam.create_access_key(UserName="nobody")["AccessKey"]}
for action, (_, call) in ways(nobody, "own-nobody", policy).items():
    assert is_denied(call), action

# Whoever has one of them has that one, on that thing.
actions = list(ways(nobody, "own-nobody", policy))
for number, action in enumerate(actions):
    name = f"m{number}"
    iam.create_user(UserName=name)
    iam.create_group(GroupName=f"g{number}")
    iam.add_user_to_group(GroupName=f"g{number}", UserName=name)
    policy = iam.create_policy(PolicyName=f"p{number}", PolicyDocument=allow("sts:GetCallerIdentity"))["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=policy, PolicyDocument=ALL)
    iam.attach_user_policy(UserName=name, PolicyArn=policy)
    iam.put_user_policy(UserName=name, PolicyName="deny", PolicyDocument=allow("secretsmanager:ListSecrets", effect="Deny"))
    me = {"name": name, "key": iam.create_access_key(UserName=name)["AccessKey"]}
    mine = ways(me, f"g{number}", policy)
    resource, call = mine[action]
    iam.put_user_policy(UserName=name, PolicyName="one", PolicyDocument=allow(action, resource))
    reader = client("secretsmanager", me["key"])
    assert is_denied(lambda: reader.get_secret_value(SecretId="crown")), action
    for other, (_, attempt) in mine.items():
        # Done last, as it may open the rest, and that is then as on AWS.
        if other != action:
            assert is_denied(attempt), (action, other)
    found = is_denied(call)
    if action in NOT_ALONE:
        # A boundary that is not there cannot be taken away, and is told so only to who may.
        assert found == (action in ("sts:AssumeRole", "iam:PassRole", "lambda:CreateFunction", "iam:UpdateUser")), action
    else:
        assert not found, action
    opened = {"iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:AttachUserPolicy", "iam:AttachGroupPolicy", "iam:PutUserPolicy",
              "iam:PutGroupPolicy", "iam:AddUserToGroup"}
    assert is_denied(lambda: reader.get_secret_value(SecretId="crown")) == (action not in opened), action
    # What was opened is closed again for the next.
    iam.update_assume_role_policy(RoleName="admin", PolicyDocument=trust(BOSS))
    iam.put_role_permissions_boundary(RoleName="weak", PermissionsBoundary=fence)
    for undo, more in [("remove_user_from_group", {"GroupName": "admins", "UserName": name}), ("delete_user", {"UserName": "made"}),
                       ("delete_role", {"RoleName": "made"}),
                       ("delete_open_id_connect_provider", {"OpenIDConnectProviderArn": arn("oidc-provider", "x.example")}),
                       ("detach_role_policy", {"RoleName": "weak", "PolicyArn": ADMIN}), ("delete_role_policy", {"RoleName": "weak", "PolicyName": "x"})]:
        try:
            getattr(iam, undo)(**more)
        except ClientError as nothing:
            assert nothing.response["Error"]["Code"] == "NoSuchEntity", nothing
    for key in iam.list_access_keys(UserName="boss")["AccessKeyMetadata"]:
        if key["AccessKeyId"] != boss_key:
            iam.delete_access_key(UserName="boss", AccessKeyId=key["AccessKeyId"])

# A boundary holds whatever else is opened within it, and a session's policy does.
iam.create_user(UserName="fenced", PermissionsBoundary=fence)
iam.put_user_policy(UserName="fenced", PolicyName="all", PolicyDocument=ALL)
fenced = iam.create_access_key(UserName="fenced")["AccessKey"]
assert is_denied(lambda: client("secretsmanager", fenced).get_secret_value(SecretId="crown"))
client("iam", fenced).delete_user_permissions_boundary(UserName="fenced")
assert not is_denied(lambda: client("secretsmanager", fenced).get_secret_value(SecretId="crown")), "who may take his boundary away has none, as on AWS"
