# Users.
made = iam.create_user(UserName="ann", Path="/team/", Tags=[{"Key": "k", "Value": "v"}])["User"]
got = iam.get_user(UserName="ann")["User"]
assert got == made and got["Tags"] == [{"Key": "k", "Value": "v"}], got
assert abs(got["CreateDate"] - datetime.datetime.now(datetime.timezone.utc)) < datetime.timedelta(minutes=5)
assert error(iam.create_user, UserName="ANN") == (409, "EntityAlreadyExists", "User with name ANN already exists.")
for name in ["", "a b", "x" * 65]:
    try:
        found = error(iam.create_user, UserName=name)
        assert found[:2] == (400, "ValidationError"), found
    except Exception as refused:
        assert type(refused).__name__ == "ParamValidationError", refused
found = error(iam.create_user, UserName="a b")
assert found[2] == ("1 validation error detected: Value 'a b' at 'userName' failed to satisfy constraint: Member must "
                    "satisfy regular expression pattern: [\\w+=,.@-]+"), found
for name in ["bob", "cid"]:
    iam.create_user(UserName=name)
assert [user["UserName"] for user in iam.list_users()["Users"]] == ["ann", "bob", "cid"]
assert [user["UserName"] for user in iam.list_users(PathPrefix="/team/")["Users"]] == ["ann"]
pages = iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 2})
assert [[user["UserName"] for user in page["Users"]] for page in pages] == [["ann", "bob"], ["cid"]]
key = iam.create_access_key(UserName="ann")["AccessKey"]
iam.update_user(UserName="ann", NewUserName="anna", NewPath="/")
assert client("sts", key).get_caller_identity() | {"ResponseMetadata": 0} == {
    "UserId": made["UserId"], "Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/anna", "ResponseMetadata": 0}
assert error(iam.get_user, UserName="ann")[1] == "NoSuchEntity"
iam.tag_user(UserName="anna", Tags=[{"Key": "K", "Value": "w"}, {"Key": "l", "Value": ""}])
iam.untag_user(UserName="anna", TagKeys=["none"])
assert iam.list_user_tags(UserName="anna")["Tags"] == [{"Key": "K", "Value": "w"}, {"Key": "l", "Value": ""}]
assert iam.get_user()["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"

# Inline policies.
document = json.loads(allow("secretsmanager:ListSecrets"))
iam.put_user_policy(UserName="anna", PolicyName="p", PolicyDocument=json.dumps(document))
assert iam.get_user_policy(UserName="anna", PolicyName="p")["PolicyDocument"] == document
assert iam.list_user_policies(UserName="anna")["PolicyNames"] == ["p"]
found = error(iam.put_user_policy, UserName="anna", PolicyName="q", PolicyDocument="{\"Statement\": 1}")
assert found[:2] == (400, "MalformedPolicyDocument"), found
found = error(iam.put_user_policy, UserName="anna", PolicyName="q", PolicyDocument=allow("s3:" + "x" * 2048))
assert found == (409, "LimitExceeded", "Maximum policy size of 2048 bytes exceeded for user anna"), found
assert error(iam.get_user_policy, UserName="anna", PolicyName="q") == (
    404, "NoSuchEntity", "The user policy with name q cannot be found.")
assert client("secretsmanager", key).list_secrets()["SecretList"] == []

# Groups.
group = iam.create_group(GroupName="readers")["Group"]
assert group["GroupId"].startswith("AGPA") and error(iam.create_group, GroupName="Readers")[1] == "EntityAlreadyExists"
iam.put_group_policy(GroupName="readers", PolicyName="p", PolicyDocument=allow("secretsmanager:GetRandomPassword"))
assert error(client("secretsmanager", key).get_random_password)[1] == "AccessDeniedException"
iam.add_user_to_group(GroupName="readers", UserName="anna")
assert len(client("secretsmanager", key).get_random_password()["RandomPassword"]) == 32
assert [user["UserName"] for user in iam.get_group(GroupName="readers")["Users"]] == ["anna"]
assert [of["GroupName"] for of in iam.list_groups_for_user(UserName="anna")["Groups"]] == ["readers"]
assert error(iam.delete_group, GroupName="readers") == (
    409, "DeleteConflict", "Cannot delete entity, must remove users from group first.")
iam.update_group(GroupName="readers", NewGroupName="drawers")
assert len(client("secretsmanager", key).get_random_password()["RandomPassword"]) == 32
iam.remove_user_from_group(GroupName="drawers", UserName="anna")
assert error(client("secretsmanager", key).get_random_password)[1] == "AccessDeniedException"
assert error(iam.delete_group, GroupName="drawers")[1] == "DeleteConflict"
iam.delete_group_policy(GroupName="drawers", PolicyName="p")
iam.delete_group(GroupName="drawers")
assert iam.list_groups()["Groups"] == []

# Managed policies and their versions.
policy = iam.create_policy(PolicyName="m", Path="/a/b/", Description="d", PolicyDocument=allow("secretsmanager:ListSecrets"))["Policy"]
arn = policy["Arn"]
assert arn == f"arn:aws:iam::{ACCOUNT}:policy/a/b/m" and policy["PolicyId"].startswith("ANPA"), policy
assert error(iam.create_policy, PolicyName="m", PolicyDocument=allow("*")) == (
    409, "EntityAlreadyExists", "A policy called m already exists. Duplicate names are not allowed.")
iam.attach_user_policy(UserName="bob", PolicyArn=arn)
bob = iam.create_access_key(UserName="bob")["AccessKey"]
assert client("secretsmanager", bob).list_secrets()["SecretList"] == []
version = iam.create_policy_version(PolicyArn=arn, PolicyDocument=allow("secretsmanager:GetRandomPassword"), SetAsDefault=True)
assert version["PolicyVersion"]["VersionId"] == "v2" and version["PolicyVersion"]["IsDefaultVersion"]
assert error(client("secretsmanager", bob).list_secrets)[1] == "AccessDeniedException"
iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
assert client("secretsmanager", bob).list_secrets()["SecretList"] == []
assert [of["VersionId"] for of in iam.list_policy_versions(PolicyArn=arn)["Versions"]] == ["v2", "v1"]
assert iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]["Document"]["Statement"][0]["Action"] == "secretsmanager:GetRandomPassword"
assert error(iam.delete_policy_version, PolicyArn=arn, VersionId="v1") == (
    409, "DeleteConflict", "Cannot delete the default version of a policy.")
for _ in range(3):
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=allow("*"))
assert error(iam.create_policy_version, PolicyArn=arn, PolicyDocument=allow("*"))[1] == "LimitExceeded"
got = iam.get_policy(PolicyArn=arn)["Policy"]
assert (got["AttachmentCount"], got["DefaultVersionId"], got["Description"]) == (1, "v1", "d"), got
entities = iam.list_entities_for_policy(PolicyArn=arn)
assert [of["UserName"] for of in entities["PolicyUsers"]] == ["bob"] and entities["PolicyRoles"] == []
assert iam.list_attached_user_policies(UserName="bob")["AttachedPolicies"] == [{"PolicyName": "m", "PolicyArn": arn}]
assert [of["PolicyName"] for of in iam.list_policies(Scope="Local")["Policies"]] == ["m"]
assert "SecretsManagerReadWrite" in [of["PolicyName"] for of in iam.list_policies(Scope="AWS")["Policies"]]
iam.detach_user_policy(UserName="bob", PolicyArn=arn)
assert error(iam.detach_user_policy, UserName="bob", PolicyArn=arn) == (404, "NoSuchEntity", f"Policy {arn} was not found.")
assert error(iam.delete_policy, PolicyArn=arn)[1] == "DeleteConflict"
for number in [2, 3, 4, 5]:
    iam.delete_policy_version(PolicyArn=arn, VersionId=f"v{number}")
iam.delete_policy(PolicyArn=arn)
nowhere = f"arn:aws:iam::{ACCOUNT}:policy/none"
assert error(iam.attach_user_policy, UserName="bob", PolicyArn=nowhere)[1:] == (
    "NoSuchEntity", f"Policy {nowhere} does not exist or is not attachable.")

# Boundaries: what they do not allow, no policy does.
iam.attach_user_policy(UserName="bob", PolicyArn="arn:aws:iam::aws:policy/SecretsManagerReadWrite")
edge = iam.create_policy(PolicyName="edge", PolicyDocument=allow("secretsmanager:List*"))["Policy"]["Arn"]
iam.put_user_permissions_boundary(UserName="bob", PermissionsBoundary=edge)
assert iam.get_user(UserName="bob")["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == edge
assert client("secretsmanager", bob).list_secrets()["SecretList"] == []
found = error(client("secretsmanager", bob).get_random_password)
assert found[2] == (f"User: arn:aws:iam::{ACCOUNT}:user/bob is not authorized to perform: secretsmanager:GetRandomPassword "
                    "because no permissions boundary allows the secretsmanager:GetRandomPassword action"), found
assert error(iam.delete_policy, PolicyArn=edge)[1] == "DeleteConflict"
iam.delete_user_permissions_boundary(UserName="bob")
assert client("secretsmanager", bob).get_random_password()["RandomPassword"]

# Roles.
role = iam.create_role(RoleName="r", Path="/x/", Description="d", AssumeRolePolicyDocument=trust(ACCOUNT),
                       PermissionsBoundary=edge, Tags=[{"Key": "k", "Value": "v"}])["Role"]
assert role["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/x/r" and role["RoleId"].startswith("AROA"), role
assert iam.get_role(RoleName="r")["Role"] == role
assert [of["RoleName"] for of in iam.list_roles()["Roles"]] == ["r"]
iam.update_role(RoleName="r", Description="e", MaxSessionDuration=3600)
iam.update_assume_role_policy(RoleName="r", PolicyDocument=trust(made["Arn"].replace("/team/ann", "/anna")))
got = iam.get_role(RoleName="r")["Role"]
assert got["Description"] == "e" and got["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"].endswith("/anna"), got
found = error(iam.update_assume_role_policy, RoleName="r", PolicyDocument=allow("sts:AssumeRole"))
assert found[:2] == (400, "MalformedPolicyDocument"), found
iam.tag_role(RoleName="r", Tags=[{"Key": "l", "Value": "w"}])
iam.untag_role(RoleName="r", TagKeys=["k"])
assert iam.list_role_tags(RoleName="r")["Tags"] == [{"Key": "l", "Value": "w"}]
assert iam.list_instance_profiles_for_role(RoleName="r")["InstanceProfiles"] == []
iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=allow("*"))
assert iam.list_role_policies(RoleName="r")["PolicyNames"] == ["p"]
assert error(iam.delete_role, RoleName="r")[2] == "Cannot delete entity, must delete policies first."
iam.delete_role_policy(RoleName="r", PolicyName="p")
iam.delete_role(RoleName="r")

# Unknown operations, and what is no form.
import urllib.request
assert iam.get_account_summary()["SummaryMap"]["Users"] == 3
found = error(iam.create_saml_provider, SAMLMetadataDocument="x" * 1000, Name="s")
assert found[:2] == (400, "InvalidAction"), found
unsigned = urllib.request.Request(ENDPOINT, data=b"Action=GetUser&Version=2010-05-08", headers={
    "Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})
try:
    urllib.request.urlopen(unsigned)
    raise AssertionError("it was answered")
except urllib.error.HTTPError as refused:
    assert refused.code == 403 and b"<Code>MissingAuthenticationToken</Code>" in refused.read()
