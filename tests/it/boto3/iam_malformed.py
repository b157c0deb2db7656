# What is no policy is refused in AWS's words, wherever a policy is taken; what is too long is refused by the quota that it exceeds.
iam.create_user(UserName="u")
iam.create_group(GroupName="g")
role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust(ACCOUNT))["Role"]["Arn"]
managed = iam.create_policy(PolicyName="m", PolicyDocument=allow("*"))["Policy"]["Arn"]
iam.put_user_policy(UserName="u", PolicyName="may", PolicyDocument=allow("sts:AssumeRole"))
theirs = client("sts", iam.create_access_key(UserName="u")["AccessKey"])
def document(**statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*", **statement}]})
def without(member, text=document()):
    read = json.loads(text)
    del read["Statement"][0][member]
    return json.dumps(read)
CASES = [
    ("{}", "Syntax errors in policy."),
    ("{", "Syntax errors in policy."),
    ('{"Version": "2012-10-17", "Statement": []}', "Syntax errors in policy."),
    (document(Effect="Permit"), "Syntax errors in policy."),
    (document(Colour="red"), "Syntax errors in policy."),
    (document(Principal="*"), "Policy document should not specify a principal."),
    (document(Action="GetObject"), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
    (document(Action="s3:Get:Object"), "Actions/Condition can contain only one colon."),
    (document(Action="s 3:GetObject"), "Vendor s 3 is not valid"),
    (document(Resource="bucket"), 'Resource bucket must be in ARN format or "*".'),
    (document(Sid="a b"), "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"),
    (without("Action"), "Policy statement must contain actions."),
    (without("Resource"), "Policy statement must contain resources."),
    (document().replace("2012-10-17", "2012-10-18"), "The policy must contain a valid version string."),
]
CALLS = [lambda text: error(iam.put_user_policy, UserName="u", PolicyName="p", PolicyDocument=text),
         lambda text: error(iam.put_group_policy, GroupName="g", PolicyName="p", PolicyDocument=text),
         lambda text: error(iam.put_role_policy, RoleName="r", PolicyName="p", PolicyDocument=text),
         lambda text: error(iam.create_policy, PolicyName="p", PolicyDocument=text),
         lambda text: error(iam.create_policy_version, PolicyArn=managed, PolicyDocument=text),
         lambda text: error(theirs.assume_role, RoleArn=role, RoleSessionName="now", Policy=text)]
for text, sentence in CASES:
    for call in CALLS:
        found = call(text)
        assert found == (400, "MalformedPolicyDocument", sentence), (text, found)
TRUST = [
    (without("Principal", trust(ACCOUNT)), "Missing required field Principal"),
    (trust(ACCOUNT, Resource="*"), "Has prohibited field Resource"),
    (trust(ACCOUNT, "s3:GetObject"), "AssumeRole policy may only specify STS AssumeRole actions."),
    (trust("arn:aws:iam::000000000000:nobody"), 'Invalid principal in policy: "AWS":"arn:aws:iam::000000000000:nobody"'),
]
for text, sentence in TRUST:
    for found in [error(iam.create_role, RoleName="s", AssumeRolePolicyDocument=text),
                  error(iam.update_assume_role_policy, RoleName="r", PolicyDocument=text)]:
        assert found == (400, "MalformedPolicyDocument", sentence), (text, found)

# Quotas: white space does not count.
def of_length(chars):
    bare = len(allow("s3:", "*").replace(" ", ""))
    return allow("s3:" + "x" * (chars - bare), "*")
padded = lambda text: text.replace("{", "{" + " " * 3000)
for most, put, what in [
        (2048, lambda text: iam.put_user_policy(UserName="u", PolicyName="may", PolicyDocument=text), "Maximum policy size of 2048 bytes exceeded for user u"),
        (5120, lambda text: iam.put_group_policy(GroupName="g", PolicyName="p", PolicyDocument=text), "Maximum policy size of 5120 bytes exceeded for group g"),
        (10240, lambda text: iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=text), "Maximum policy size of 10240 bytes exceeded for role r"),
        (6144, lambda text: iam.create_policy_version(PolicyArn=managed, PolicyDocument=text), "Cannot exceed quota for PolicySize: 6144"),
        (4096, lambda text: iam.update_assume_role_policy(RoleName="r", PolicyDocument=text), "Cannot exceed quota for ACLSizePerRole: 4096")]:
    text = of_length(most)
    longer = of_length(most + 1)
    if "ACLSize" in what:
        text = trust(ACCOUNT, Sid="x" * (most - len(trust(ACCOUNT, Sid="").replace(" ", ""))))
        longer = text.replace('"xx', '"xxx')
    put(padded(text))
    found = error(lambda **_: put(longer))
    assert found == (409, "LimitExceeded", what), (what, found)
# Of one holder's inline policies the sum counts.
iam.put_user_policy(UserName="u", PolicyName="may", PolicyDocument=of_length(1024))
iam.put_user_policy(UserName="u", PolicyName="more", PolicyDocument=of_length(1024))
assert error(iam.put_user_policy, UserName="u", PolicyName="third", PolicyDocument=of_length(100))[1] == "LimitExceeded"
