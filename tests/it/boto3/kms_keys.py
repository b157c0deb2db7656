import datetime

kms = boto3.client("kms", endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=Config(retries={"total_max_attempts": 1}))

# A key's life, as AWS's "Key states of AWS KMS keys" has it.
made = kms.create_key(Description="for tests", Tags=[{"TagKey": "team", "TagValue": "a"}])["KeyMetadata"]
key, arn = made["KeyId"], made["Arn"]
assert arn == f"arn:aws:kms:us-east-1:000000000000:key/{key}", arn
assert len(key) == 36 and len(made["CurrentKeyMaterialId"]) == 64, made
for name, value in {"AWSAccountId": "000000000000", "Enabled": True, "Description": "for tests", "KeyUsage": "ENCRYPT_DECRYPT",
                    "KeyState": "Enabled", "Origin": "AWS_KMS", "KeyManager": "CUSTOMER", "KeySpec": "SYMMETRIC_DEFAULT",
                    "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT", "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
                    "MultiRegion": False}.items():
    assert made[name] == value, (name, made)
assert isinstance(made["CreationDate"], datetime.datetime) and "DeletionDate" not in made and "MacAlgorithms" not in made
assert kms.describe_key(KeyId=key)["KeyMetadata"] == made and kms.describe_key(KeyId=arn)["KeyMetadata"] == made

kms.disable_key(KeyId=key)
assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
assert refused(kms.encrypt, KeyId=key, Plaintext=b"x") == ("DisabledException", f"{arn} is disabled.")
assert refused(kms.enable_key_rotation, KeyId=key)[0] == "DisabledException"
kms.enable_key(KeyId=key)
gone = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
assert gone["KeyState"] == "PendingDeletion" and gone["KeyId"] == arn and gone["PendingWindowInDays"] == 7, gone
shown = kms.describe_key(KeyId=key)["KeyMetadata"]
assert shown["KeyState"] == "PendingDeletion" and shown["DeletionDate"] == gone["DeletionDate"] and not shown["Enabled"], shown
pending = ("KMSInvalidStateException", f"{arn} is pending deletion.")
for call in [kms.enable_key, kms.disable_key, kms.schedule_key_deletion, kms.enable_key_rotation, kms.rotate_key_on_demand]:
    assert refused(call, KeyId=key) == pending, call
assert refused(kms.encrypt, KeyId=key, Plaintext=b"x") == pending
assert refused(kms.create_alias, AliasName="alias/gone", TargetKeyId=key) == pending
assert refused(kms.tag_resource, KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}]) == pending
assert refused(kms.update_key_description, KeyId=key, Description="d") == pending
assert kms.cancel_key_deletion(KeyId=key)["KeyId"] == arn
assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
assert refused(kms.cancel_key_deletion, KeyId=key) == ("KMSInvalidStateException", f"{arn} is not pending deletion.")
kms.enable_key(KeyId=key)
for days in [6, 31]:
    assert refused(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=days)[0] == "ValidationException"
kms.update_key_description(KeyId=key, Description="")
assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == ""

# Names.
nobody = "12345678-1234-4234-8234-123456789012"
assert refused(kms.describe_key, KeyId=nobody) == \
    ("NotFoundException", f"Key 'arn:aws:kms:us-east-1:000000000000:key/{nobody}' does not exist")
assert refused(kms.describe_key, KeyId="nothing") == ("NotFoundException", "Invalid keyId 'nothing'")
assert refused(kms.describe_key, KeyId="arn:aws:kms:eu-west-1:000000000000:key/" + key) == ("NotFoundException", "Invalid arn eu-west-1")
assert refused(kms.describe_key, KeyId="arn:aws:s3:us-east-1:000000000000:key/" + key)[0] == "InvalidArnException"
assert refused(kms.describe_key, KeyId="alias/nobody") == \
    ("NotFoundException", "Alias arn:aws:kms:us-east-1:000000000000:alias/nobody is not found.")
elsewhere = boto3.client("kms", region_name="eu-west-1", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
assert refused(elsewhere.describe_key, KeyId=key)[0] == "NotFoundException"
assert elsewhere.list_keys()["Keys"] == []

# Aliases.
other = kms.create_key()["KeyMetadata"]["KeyId"]
kms.create_alias(AliasName="alias/app/one", TargetKeyId=key)
kms.create_alias(AliasName="alias/app/two", TargetKeyId=arn)
assert refused(kms.create_alias, AliasName="alias/app/one", TargetKeyId=other) == \
    ("AlreadyExistsException", "An alias with the name arn:aws:kms:us-east-1:000000000000:alias/app/one already exists")
assert kms.describe_key(KeyId="alias/app/one")["KeyMetadata"]["KeyId"] == key
assert kms.describe_key(KeyId="arn:aws:kms:us-east-1:000000000000:alias/app/one")["KeyMetadata"]["KeyId"] == key
kms.update_alias(AliasName="alias/app/one", TargetKeyId=other)
assert kms.describe_key(KeyId="alias/app/one")["KeyMetadata"]["KeyId"] == other
entry, = kms.list_aliases(KeyId=other)["Aliases"]
assert entry["AliasName"] == "alias/app/one" and entry["TargetKeyId"] == other, entry
assert entry["AliasArn"] == "arn:aws:kms:us-east-1:000000000000:alias/app/one" and entry["LastUpdatedDate"] >= entry["CreationDate"]
assert [a["AliasName"] for a in kms.list_aliases()["Aliases"]] == ["alias/app/one", "alias/app/two"]
assert refused(kms.create_alias, AliasName="own", TargetKeyId=key)[0] == "InvalidAliasNameException"
assert refused(kms.create_alias, AliasName="alias/", TargetKeyId=key)[0] == "InvalidAliasNameException"
assert refused(kms.create_alias, AliasName="alias/a b", TargetKeyId=key)[0] == "ValidationException"
assert refused(kms.create_alias, AliasName="alias/aws/own", TargetKeyId=key)[0] == "NotAuthorizedException"
assert refused(kms.update_alias, AliasName="alias/none", TargetKeyId=key)[0] == "NotFoundException"
assert refused(kms.delete_alias, AliasName="alias/none")[0] == "NotFoundException"
kms.delete_alias(AliasName="alias/app/one")
assert refused(kms.describe_key, KeyId="alias/app/one")[0] == "NotFoundException"
# What changes a key takes its id or ARN, and no alias.
assert refused(kms.disable_key, KeyId="alias/app/two")[0] == "NotFoundException"

# The key of AWS's name.
own = kms.describe_key(KeyId="alias/aws/secretsmanager")["KeyMetadata"]
assert own["KeyManager"] == "AWS" and own["Enabled"], own
assert kms.describe_key(KeyId="alias/aws/secretsmanager")["KeyMetadata"] == own
for call, more in [(kms.disable_key, {}), (kms.schedule_key_deletion, {}), (kms.encrypt, {"Plaintext": b"x"})]:
    assert refused(call, KeyId=own["KeyId"], **more)[0] == "AccessDeniedException", call

# Pages.
ids = {key, other, own["KeyId"]} | {kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(4)}
seen = [k["KeyId"] for page in kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2}) for k in page["Keys"]]
assert len(seen) == 7 and set(seen) == ids, seen
first = kms.list_keys(Limit=3)
assert first["Truncated"] and len(first["Keys"]) == 3 and first["Keys"][0]["KeyArn"].endswith(first["Keys"][0]["KeyId"])
assert refused(kms.list_keys, Marker="made up")[0] == "InvalidMarkerException"
assert refused(kms.list_aliases, Marker=first["NextMarker"])[0] == "InvalidMarkerException"
assert refused(kms.list_keys, Limit=1001)[0] == "ValidationException"
assert refused(kms.list_aliases, Limit=101)[0] == "ValidationException"

# Tags.
assert kms.list_resource_tags(KeyId=key)["Tags"] == [{"TagKey": "team", "TagValue": "a"}]
kms.tag_resource(KeyId=key, Tags=[{"TagKey": "team", "TagValue": "b"}, {"TagKey": "other", "TagValue": ""}])
page = kms.list_resource_tags(KeyId=key, Limit=1)
assert page["Tags"] == [{"TagKey": "team", "TagValue": "b"}] and page["Truncated"], page
assert kms.list_resource_tags(KeyId=key, Marker=page["NextMarker"])["Tags"] == [{"TagKey": "other", "TagValue": ""}]
kms.untag_resource(KeyId=key, TagKeys=["team", "none"])
assert [t["TagKey"] for t in kms.list_resource_tags(KeyId=key)["Tags"]] == ["other"]
twice = [{"TagKey": "a", "TagValue": "1"}, {"TagKey": "a", "TagValue": "2"}]
assert refused(kms.tag_resource, KeyId=key, Tags=twice)[0] == "TagException"
assert refused(kms.tag_resource, KeyId=key, Tags=[{"TagKey": "aws:a", "TagValue": "1"}])[0] == "TagException"
many = [{"TagKey": str(n), "TagValue": ""} for n in range(50)]
assert refused(kms.tag_resource, KeyId=key, Tags=many)[0] == "LimitExceededException"

# Policies.
policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
assert policy["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::000000000000:root"}, policy
assert kms.list_key_policies(KeyId=key)["PolicyNames"] == ["default"]
policy["Statement"].append({"Sid": "more", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:user/app"},
                            "Action": ["kms:Decrypt"], "Resource": "*"})
kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
assert json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]) == policy
assert refused(kms.put_key_policy, KeyId=key, Policy="{}")[0] == "MalformedPolicyDocumentException"
assert refused(kms.get_key_policy, KeyId=key, PolicyName="other") == ("NotFoundException", "No such policy exists")
locked = {"Version": "2012-10-17", "Statement": [policy["Statement"][1]]}
assert refused(kms.put_key_policy, KeyId=key, Policy=json.dumps(locked)) == \
    ("MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.")
kms.put_key_policy(KeyId=key, Policy=json.dumps(locked), BypassPolicyLockoutSafetyCheck=True)
assert refused(kms.create_key, Policy=json.dumps(locked))[0] == "MalformedPolicyDocumentException"

# What is not served says so.
for spec in ["RSA_2048", "ECC_NIST_P256", "HMAC_512"]:
    assert refused(kms.create_key, KeySpec=spec, KeyUsage="SIGN_VERIFY")[0] == "UnsupportedOperationException", spec
assert refused(kms.create_key, Origin="EXTERNAL")[0] == "UnsupportedOperationException"
assert refused(kms.create_key, MultiRegion=True)[0] == "UnsupportedOperationException"
assert refused(kms.create_key, CustomKeyStoreId="cks-1")[0] == "CustomKeyStoreNotFoundException"
assert refused(kms.create_key, KeySpec="HMAC_256")[0] == "ValidationException"
assert refused(kms.create_key, KeySpec="SYMMETRIC_DEFAULT", KeyUsage="GENERATE_VERIFY_MAC")[0] == "ValidationException"
assert refused(kms.create_grant, KeyId=key, GranteePrincipal="a", Operations=["Decrypt"])[0] == "UnknownOperationException"
