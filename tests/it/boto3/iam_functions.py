# To give a function a role takes iam:PassRole, and to have one rotate a secret lambda:InvokeFunction, as on AWS.
def user(name, *statements):
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
    return iam.create_access_key(UserName=name)["AccessKey"]
def may(action, resource="*", effect="Allow", **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}
arn = lambda kind, name: f"arn:aws:iam::{ACCOUNT}:{kind}/{name}"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:"
ROLE = arn("role", "service/rotator")
GRANTS = '[grants]\nengines = ["postgres"]\n'
component = with_manifest(GRANTS)
[approve(name, GRANTS) for name in ["fn", "gn"]]
root = boto3.client("lambda", endpoint_url=ENDPOINT, config=QUIET, region_name="us-east-1")
iam.create_role(RoleName="rotator", Path="/service/", AssumeRolePolicyDocument=trust(ACCOUNT), Tags=[{"Key": "team", "Value": "blue"}])
def create(by, role=ROLE, code=component, **more):
    return by.create_function(FunctionName="fn", Role=role, Runtime="provided", Handler="h", Code={"ZipFile": code}, **more)

# Without the leave to pass the role, the rest does not help; nothing is compiled or kept.
author = client("lambda", user("author", may("lambda:*")))
found = error(lambda **_: create(author))
assert found == (403, "AccessDeniedException", denied(arn("user", "author"), "iam:PassRole", ROLE)), found
assert error(root.get_function, FunctionName="fn")[1] == "ResourceNotFoundException"
# A role that is not there is passed no more easily, nor one of another account.
found = error(lambda **_: create(author, arn("role", "none")))
assert found[1] == "AccessDeniedException" and found[2].endswith("no identity-based policy allows the iam:PassRole action"), found
found = error(lambda **_: create(root, ROLE.replace(ACCOUNT, "111111111111")))
assert found == (403, "AccessDeniedException", "Cross-account pass role is not allowed."), found
# To whom it is passed, for what, and what the role has: conditions look at it.
for statement, let in [
        (may("iam:PassRole", ROLE), True), (may("iam:PassRole", arn("role", "rotator")), False),
        (may("iam:PassRole", ROLE, Condition={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}), False),
        (may("iam:PassRole", ROLE, Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}), True),
        (may("iam:PassRole", ROLE, Condition={"StringEquals": {"aws:ResourceTag/team": "red"}}), False),
        (may("iam:PassRole", ROLE, Condition={"StringEquals": {"aws:ResourceTag/team": "blue"}}), True)]:
    iam.put_user_policy(UserName="author", PolicyName="pass", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    found = error(lambda **_: create(author, code=b"no component"))
    assert (found[1] == "AccessDeniedException") != let, (statement, found)
create(author)
# Changing the role is passing it; changing something else is not.
author.update_function_configuration(FunctionName="fn", Timeout=30)
author.update_function_configuration(FunctionName="fn", Role=ROLE)
iam.delete_user_policy(UserName="author", PolicyName="pass")
author.update_function_configuration(FunctionName="fn", Timeout=31)
found = error(author.update_function_configuration, FunctionName="fn", Role=arn("role", "other"))
assert found == (403, "AccessDeniedException", denied(arn("user", "author"), "iam:PassRole", arn("role", "other"))), found
assert root.get_function_configuration(FunctionName="fn")["Role"] == ROLE
# With the policy that AWS has for it.
iam.attach_user_policy(UserName="author", PolicyArn="arn:aws:iam::aws:policy/AWSLambda_FullAccess")
author.update_function_configuration(FunctionName="fn", Role=ROLE)

# Tags: who sets them, and what they are of.
tagless = client("lambda", user("tagless", may("lambda:CreateFunction"), may("iam:PassRole")))
found = error(lambda **_: tagless.create_function(FunctionName="gn", Role=ROLE, Runtime="r", Handler="h", Code={"ZipFile": component}, Tags={"a": "b"}))
assert found == (403, "AccessDeniedException", denied(arn("user", "tagless"), "lambda:TagResource", FUNCTION + "gn")), found
root.tag_resource(Resource=FUNCTION + "fn", Tags={"team": "blue"})
by_tag = client("lambda", user("by-tag", may("lambda:*", Condition={"StringEquals": {"aws:ResourceTag/team": "blue"}}),
                               may("lambda:TagResource", effect="Deny", Condition={"ForAnyValue:StringEquals": {"aws:TagKeys": "team"}})))
by_tag.update_function_configuration(FunctionName="fn", Timeout=32)
by_tag.tag_resource(Resource=FUNCTION + "fn", Tags={"other": "x"})
found = error(by_tag.tag_resource, Resource=FUNCTION + "fn", Tags={"team": "red"})
assert found[1] == "AccessDeniedException" and "explicit deny" in found[2], found
root.tag_resource(Resource=FUNCTION + "fn", Tags={"team": "red"})
assert error(by_tag.update_function_configuration, FunctionName="fn", Timeout=33)[1] == "AccessDeniedException"

# An invocation is of the version that it names.
root.publish_version(FunctionName="fn")
runner = client("lambda", user("runner", may("lambda:InvokeFunction", FUNCTION + "fn*"), may("lambda:InvokeFunction", FUNCTION + "fn:1", "Deny")))
runner.invoke(FunctionName="fn", InvocationType="DryRun")
for more in [{"FunctionName": "fn", "Qualifier": "1"}, {"FunctionName": "fn:1"}, {"FunctionName": FUNCTION + "fn:1"}]:
    found = error(runner.invoke, InvocationType="DryRun", **more)
    assert found[1] == "AccessDeniedException" and FUNCTION + "fn:1 with an explicit deny" in found[2], (more, found)

# Who rotates a secret must be let invoke its function, whether he names it or it is set already.
sm.create_secret(Name="db", SecretString="{}")
root.add_permission(FunctionName="fn", StatementId="s", Action="lambda:InvokeFunction", Principal="secretsmanager.amazonaws.com")
turner_key = user("turner", may("secretsmanager:*"))
turner = client("secretsmanager", turner_key)
refusal = denied(arn("user", "turner"), "lambda:InvokeFunction", FUNCTION + "fn")
rules = {"RotateImmediately": False, "RotationRules": {"AutomaticallyAfterDays": 30}}
found = error(turner.rotate_secret, SecretId="db", RotationLambdaARN=FUNCTION + "fn", **rules)
assert found == (400, "AccessDeniedException", refusal), found
found = error(turner.rotate_secret, SecretId="db", RotationLambdaARN=FUNCTION + "none", **rules)
assert found[1] == "AccessDeniedException" and "lambda:InvokeFunction" in found[2], "whether there is one is not told"
assert "RotationLambdaARN" not in sm.describe_secret(SecretId="db")
iam.put_user_policy(UserName="turner", PolicyName="run", PolicyDocument=allow("lambda:InvokeFunction", FUNCTION + "fn"))
turner.rotate_secret(SecretId="db", RotationLambdaARN=FUNCTION + "fn", **rules)
iam.delete_user_policy(UserName="turner", PolicyName="run")
found = error(turner.rotate_secret, SecretId="db")
assert found == (400, "AccessDeniedException", refusal), found
