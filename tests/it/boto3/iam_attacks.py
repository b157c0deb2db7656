# What somebody tries who may do a little, to do more. Each attempt is refused, and what it aimed at is as it was.
def smuggle(service, call, extra, **parameters):
    """A call with parameters that the operation does not have, signed like the others."""
    def add(params, **_):
        params["body"].update(extra)
    service.meta.events.register("before-call", add)
    try:
        return getattr(service, call)(**parameters)
    finally:
        service.meta.events.unregister("before-call", add)

def smuggled(service, call, extra, **parameters):
    def smuggling(**given):
        return smuggle(service, call, extra, **given)
    return error(smuggling, **parameters)

def user(name, *statements, **more):
    iam.create_user(UserName=name, **more)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": list(statements)}))
    return iam.create_access_key(UserName=name)["AccessKey"]

def may(action, resource="*", effect="Allow", **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}

def arn(kind, name):
    return f"arn:aws:iam::{ACCOUNT}:{kind}/{name}"

iam.create_user(UserName="boss", Path="/admins/")
iam.attach_user_policy(UserName="boss", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
iam.create_group(GroupName="own")
iam.create_role(RoleName="own", AssumeRolePolicyDocument=trust(ACCOUNT))
iam.create_role(RoleName="prod", AssumeRolePolicyDocument=trust(arn("user", "boss")), Tags=[{"Key": "team", "Value": "red"}])

# Whoever may make keys for himself makes none for others, whatever else the request names.
mallory = client("iam", user("mallory", may(["iam:CreateAccessKey", "iam:TagUser"], arn("user", "${aws:username}"))))
for extra in [{"PolicyArn": arn("user", "mallory")}, {"GroupName": "own"}, {"RoleName": "own"}, {"AccessKeyId": "AKIAPAWLTESTSROOTKEY"}]:
    found = smuggled(mallory, "create_access_key", extra, UserName="boss")
    assert found == (403, "AccessDenied", denied(arn("user", "mallory"), "iam:CreateAccessKey", "user boss")), (extra, found)
assert iam.list_access_keys(UserName="boss")["AccessKeyMetadata"] == []
mallory.create_access_key()

# A denial is of the thing that is changed, not of another one that the request names beside it.
denier = client("iam", user("denier", may("iam:*"), may("iam:*", arn("user", "admins/*"), "Deny")))
for extra in [{"GroupName": "own"}, {"RoleName": "own"}, {"PolicyArn": arn("policy", "any")}, {"Path": "/"}]:
    found = smuggled(denier, "put_user_policy", extra, UserName="boss", PolicyName="x", PolicyDocument=allow("*"))
    assert found[1] == "AccessDenied" and "explicit deny" in found[2], (extra, found)
assert iam.list_user_policies(UserName="boss")["PolicyNames"] == []

# Tags go to what the operation is about.
tagger = client("iam", user("tagger", may("iam:TagUser"), may("iam:TagRole", arn("role", "own"))))
tags = [{"Key": "team", "Value": "blue"}]
smuggle(tagger, "tag_role", {"UserName": "boss", "PolicyArn": arn("policy", "any")}, RoleName="own", Tags=tags)
assert iam.list_user_tags(UserName="boss")["Tags"] == [] and iam.list_role_tags(RoleName="own")["Tags"] == tags
smuggle(tagger, "tag_user", {"RoleName": "prod"}, UserName="tagger", Tags=tags)
assert iam.list_role_tags(RoleName="prod")["Tags"] == [{"Key": "team", "Value": "red"}]
assert iam.list_user_tags(UserName="tagger")["Tags"] == tags
found = smuggled(tagger, "tag_role", {"UserName": "boss"}, RoleName="prod", Tags=tags)
assert found[1] == "AccessDenied", found

# What is asked of a request's boundary is asked where a boundary is set, and of what is there otherwise.
fence = iam.create_policy(PolicyName="fence", PolicyDocument=allow("secretsmanager:ListSecrets"))["Policy"]["Arn"]
fenced = {"Condition": {"StringEquals": {"iam:PermissionsBoundary": fence}}}
helper = client("iam", user("helper", may(["iam:CreateUser", "iam:PutUserPolicy", "iam:AttachUserPolicy"], **fenced)))
iam.create_user(UserName="free")
found = smuggled(helper, "put_user_policy", {"PermissionsBoundary": fence}, UserName="free", PolicyName="x", PolicyDocument=allow("*"))
assert found == (403, "AccessDenied", denied(arn("user", "helper"), "iam:PutUserPolicy", "user free")), found
found = smuggled(helper, "attach_user_policy", {"PermissionsBoundary": fence}, UserName="free", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
assert found[1] == "AccessDenied", found
assert error(helper.create_user, UserName="loose")[1] == "AccessDenied"
helper.create_user(UserName="inside", PermissionsBoundary=fence)
helper.put_user_policy(UserName="inside", PolicyName="x", PolicyDocument=allow("*"))

# Tags of another thing are not those of the one that is changed.
matching = {"Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}}}
by_tag = client("iam", user("by-tag", may(["iam:UpdateAssumeRolePolicy", "iam:PutRolePolicy"], **matching)))
for extra in [{"UserName": "tagger"}, {"PolicyArn": arn("policy", "any")}]:
    found = smuggled(by_tag, "update_assume_role_policy", extra, RoleName="prod", PolicyDocument=trust(ACCOUNT))
    assert found[1] == "AccessDenied", (extra, found)
by_tag.update_assume_role_policy(RoleName="own", PolicyDocument=trust(ACCOUNT))

# Who renames needs to be let for both names: nobody moves a user of his own among the administrators, or takes another's name.
mover = client("iam", user("mover", may(["iam:UpdateUser", "iam:UpdateGroup"], [arn("user", "dev/*"), arn("group", "dev/*")])))
iam.create_user(UserName="d", Path="/dev/")
iam.create_group(GroupName="dg", Path="/dev/")
for change in [{"NewPath": "/admins/"}, {"NewPath": "/"}, {"NewPath": "/admins/", "NewUserName": "boss2"}]:
    found = error(mover.update_user, UserName="d", **change)
    assert found[1] == "AccessDenied" and "iam:UpdateUser on resource: arn:aws:iam::" in found[2], (change, found)
assert error(mover.update_group, GroupName="dg", NewPath="/")[1] == "AccessDenied"
mover.update_user(UserName="d", NewUserName="dd")
assert iam.get_user(UserName="dd")["User"]["Path"] == "/dev/"

# To make a thing with tags, one must be let tag it.
maker = client("iam", user("maker", may(["iam:CreateUser", "iam:CreateRole", "iam:CreatePolicy"])))
red = [{"Key": "team", "Value": "red"}]
for action, call, name, more in [
        ("iam:TagUser", maker.create_user, "user/m1", {"UserName": "m1"}),
        ("iam:TagRole", maker.create_role, "role/m1", {"RoleName": "m1", "AssumeRolePolicyDocument": trust(ACCOUNT)}),
        ("iam:TagPolicy", maker.create_policy, "policy/m1", {"PolicyName": "m1", "PolicyDocument": allow("*")})]:
    found = error(call, Tags=red, **more)
    assert found == (403, "AccessDenied", denied(arn("user", "maker"), action, arn(*name.split("/")))), found
    call(**more)

# A session keeps the name of whoever began it.
named = ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"]
iam.create_role(RoleName="first", AssumeRolePolicyDocument=trust(ACCOUNT, named))
iam.create_role(RoleName="second", AssumeRolePolicyDocument=trust(ACCOUNT, named))
iam.create_role(RoleName="silent", AssumeRolePolicyDocument=trust(ACCOUNT))
for role in ["first", "second"]:
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=allow(named))
eve = client("sts", user("eve", may(named)))
def assume(who, role, **more):
    return client("sts", who.assume_role(RoleArn=arn("role", role), RoleSessionName="now", **more)["Credentials"])
begun = assume(eve, "first", SourceIdentity="eve")
found = error(begun.assume_role, RoleArn=arn("role", "second"), RoleSessionName="now", SourceIdentity="boss")
assert found[:2] == (403, "AccessDenied"), found
again = begun.assume_role(RoleArn=arn("role", "second"), RoleSessionName="now")
assert again["SourceIdentity"] == "eve", again
assert begun.assume_role(RoleArn=arn("role", "second"), RoleSessionName="now", SourceIdentity="eve")["SourceIdentity"] == "eve"
found = error(begun.assume_role, RoleArn=arn("role", "silent"), RoleSessionName="now")
assert found[1] == "AccessDenied" and "sts:SetSourceIdentity" in found[2], found
# Tags that go on need the leave to be set as those of the request do.
tagged = assume(eve, "first", Tags=red, TransitiveTagKeys=["team"])
found = error(tagged.assume_role, RoleArn=arn("role", "silent"), RoleSessionName="now")
assert found[1] == "AccessDenied" and "sts:TagSession" in found[2], found
assume(tagged, "second")

# Whether a secret is there, and what it is, is not told to who may not have it replicated.
sm.create_secret(Name="there", SecretString="x")
nosy = client("secretsmanager", user("nosy"))
for call, action, more in [
        (nosy.replicate_secret_to_regions, "ReplicateSecretToRegions", {"AddReplicaRegions": [{"Region": "eu-west-1"}]}),
        (nosy.remove_regions_from_replication, "RemoveRegionsFromReplication", {"RemoveReplicaRegions": ["eu-west-1"]}),
        (nosy.stop_replication_to_replica, "StopReplicationToReplica", {})]:
    for name in ["there", "nowhere"]:
        found = error(call, SecretId=name, **more)
        assert found == (400, "AccessDeniedException", denied(arn("user", "nosy"), f"secretsmanager:{action}", name)), found

# A secret is not made with tags or replicas by who may not give it any.
only = client("secretsmanager", user("only", may("secretsmanager:CreateSecret")))
found = error(only.create_secret, Name="new", SecretString="x", Tags=red)
assert found[1] == "AccessDeniedException" and "secretsmanager:TagResource" in found[2], found
found = error(only.create_secret, Name="new", SecretString="x", AddReplicaRegions=[{"Region": "eu-west-1"}])
assert found[1] == "AccessDeniedException" and "secretsmanager:ReplicateSecretToRegions" in found[2], found
assert error(sm.describe_secret, SecretId="new")[1] == "ResourceNotFoundException"
only.create_secret(Name="new", SecretString="x")
