# What somebody tries who may use some key, to use or to change another one.
def client(service, key=None):
    key = key or {"AccessKeyId": os.environ["AWS_ACCESS_KEY_ID"], "SecretAccessKey": os.environ["AWS_SECRET_ACCESS_KEY"]}
    return boto3.client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"], aws_access_key_id=key["AccessKeyId"],
                        aws_secret_access_key=key["SecretAccessKey"], config=Config(retries={"total_max_attempts": 1}))
iam, kms = client("iam"), client("kms")
def user(name, *statements):
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
    return client("kms", iam.create_access_key(UserName=name)["AccessKey"])
def may(action, resource="*", effect="Allow", **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}
prod, own = [kms.create_key()["KeyMetadata"] for _ in range(2)]
kms.create_alias(AliasName="alias/prod", TargetKeyId=prod["KeyId"])
ALIASES = "arn:aws:kms:us-east-1:000000000000:alias/*"

# An alias is not turned to another key by who has no say over the key that it names: what is written next would be under his key.
turner = user("turner", may(["kms:UpdateAlias", "kms:DeleteAlias"], [ALIASES, own["Arn"]]))
code, message = refused(turner.update_alias, AliasName="alias/prod", TargetKeyId=own["KeyId"])
assert code == "AccessDeniedException" and f"kms:UpdateAlias on resource: {prod['Arn']}" in message, message
assert refused(turner.delete_alias, AliasName="alias/prod")[0] == "AccessDeniedException"
assert kms.describe_key(KeyId="alias/prod")["KeyMetadata"]["KeyId"] == prod["KeyId"]

# A key is not made with tags by who may not tag; and tags that are kept from somebody are kept from him.
maker = user("maker", may(["kms:CreateKey", "kms:DescribeKey"]))
tags = [{"TagKey": "team", "TagValue": "red"}]
code, message = refused(maker.create_key, Tags=tags)
assert code == "AccessDeniedException" and "kms:TagResource" in message, message
maker.create_key()
tagger = user("tagger", may("kms:*"), may(["kms:TagResource", "kms:UntagResource"], effect="Deny", Condition={"ForAnyValue:StringEquals": {"aws:TagKeys": ["team"]}}))
for call, more in [(tagger.tag_resource, {"KeyId": own["KeyId"], "Tags": tags}), (tagger.untag_resource, {"KeyId": own["KeyId"], "TagKeys": ["team"]}),
                   (tagger.create_key, {"Tags": tags})]:
    code, message = refused(call, **more)
    assert code == "AccessDeniedException" and "explicit deny" in message, message
tagger.tag_resource(KeyId=own["KeyId"], Tags=[{"TagKey": "other", "TagValue": "x"}])

# ReEncrypt takes both permissions: from the one key, to the other.
blob = kms.encrypt(KeyId=prod["KeyId"], Plaintext=b"x")["CiphertextBlob"]
half = user("half", may("kms:ReEncryptTo", own["Arn"]), may("kms:Decrypt", own["Arn"]))
assert "kms:ReEncryptFrom" in refused(half.re_encrypt, CiphertextBlob=blob, DestinationKeyId=own["KeyId"])[1]
other = user("other", may("kms:ReEncryptFrom", prod["Arn"]))
assert "kms:ReEncryptTo" in refused(other.re_encrypt, CiphertextBlob=blob, DestinationKeyId=own["KeyId"])[1]

# Whoever may not be locked out of a policy that he puts there is its author: AWS's safety check.
author = user("author", may("kms:*"))
me = "arn:aws:iam::000000000000:user/author"
def policy(*names):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": list(names)}, "Action": "kms:*", "Resource": "*"}]})
assert refused(author.create_key, Policy=policy("arn:aws:iam::000000000000:user/turner"))[0] == "MalformedPolicyDocumentException"
mine = author.create_key(Policy=policy(me))["KeyMetadata"]
assert refused(turner.describe_key, KeyId=mine["KeyId"])[0] == "AccessDeniedException"
assert refused(author.put_key_policy, KeyId=mine["KeyId"], Policy=policy("arn:aws:iam::000000000000:user/turner"))[0] == "MalformedPolicyDocumentException"
author.put_key_policy(KeyId=mine["KeyId"], Policy=policy(me, "arn:aws:iam::000000000000:user/turner"))
