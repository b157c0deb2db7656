kms = boto3.client("kms", endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=Config(retries={"total_max_attempts": 1}))
one, two = (kms.create_key()["KeyMetadata"] for _ in range(2))
key, arn = one["KeyId"], one["Arn"]
context = {"app": "a", "stage": "test"}

# What was encrypted opens, in its context, and says by which key.
sealed = kms.encrypt(KeyId=key, Plaintext=b"hunter2", EncryptionContext=context)
assert sealed["KeyId"] == arn and sealed["EncryptionAlgorithm"] == "SYMMETRIC_DEFAULT", sealed
blob = sealed["CiphertextBlob"]
opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext=dict(reversed(context.items())))
assert opened["Plaintext"] == b"hunter2" and opened["KeyId"] == arn, opened
assert opened["KeyMaterialId"] == one["CurrentKeyMaterialId"], opened
assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context, KeyId=key)["Plaintext"] == b"hunter2"
kms.create_alias(AliasName="alias/one", TargetKeyId=key)
assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context, KeyId="alias/one")["Plaintext"] == b"hunter2"
assert kms.encrypt(KeyId="alias/one", Plaintext=b"hunter2")["CiphertextBlob"] != kms.encrypt(KeyId=arn, Plaintext=b"hunter2")["CiphertextBlob"]
longest = kms.encrypt(KeyId=key, Plaintext=bytes(4096))["CiphertextBlob"]
assert kms.decrypt(CiphertextBlob=longest)["Plaintext"] == bytes(4096)
assert refused(kms.encrypt, KeyId=key, Plaintext=bytes(4097))[0] == "ValidationException"

# And does not otherwise.
for other in [{}, {"app": "a"}, {"app": "a", "stage": "Test"}, {**context, "more": ""}]:
    assert refused(kms.decrypt, CiphertextBlob=blob, EncryptionContext=other)[0] == "InvalidCiphertextException", other
for at in range(len(blob)):
    bad = bytearray(blob)
    bad[at] ^= 1 << (at % 8)
    code = refused(kms.decrypt, CiphertextBlob=bytes(bad), EncryptionContext=context)[0]
    # A changed key id is another key's, which is not there.
    assert code == ("AccessDeniedException" if 1 <= at <= 16 else "InvalidCiphertextException"), (at, code)
for bad in [b"\x00", blob[:-1], blob + b"\x00", b"not a ciphertext at all, however long it may be, and more of it"]:
    assert refused(kms.decrypt, CiphertextBlob=bad, EncryptionContext=context)[0] == "InvalidCiphertextException", bad
assert refused(kms.decrypt, CiphertextBlob=blob, EncryptionContext=context, KeyId=two["KeyId"]) == \
    ("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
assert refused(kms.decrypt, CiphertextBlob=blob, EncryptionContext=context, KeyId="alias/none")[0] == "NotFoundException"
elsewhere = boto3.client("kms", region_name="eu-west-1", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
assert refused(elsewhere.decrypt, CiphertextBlob=blob, EncryptionContext=context) == \
    ("AccessDeniedException", "The ciphertext refers to a customer master key that does not exist, does not exist in this region, "
                              "or you are not allowed to access.")
kms.disable_key(KeyId=key)
assert refused(kms.decrypt, CiphertextBlob=blob, EncryptionContext=context) == ("DisabledException", f"{arn} is disabled.")
kms.enable_key(KeyId=key)
assert refused(kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True)[0] == "DryRunOperationException"
assert refused(kms.decrypt, CiphertextBlob=blob, EncryptionContext=context, DryRun=True)[0] == "DryRunOperationException"
assert refused(kms.decrypt, CiphertextBlob=blob, DryRun=True)[0] == "InvalidCiphertextException"
assert refused(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_256")[0] == "ValidationException"

# From one key and context to another.
moved = kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext=context, DestinationKeyId=two["KeyId"],
                       DestinationEncryptionContext={"new": "1"})
assert moved["SourceKeyId"] == arn and moved["KeyId"] == two["Arn"], moved
opened = kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"new": "1"})
assert opened["Plaintext"] == b"hunter2" and opened["KeyId"] == two["Arn"]
assert refused(kms.re_encrypt, CiphertextBlob=blob, DestinationKeyId=two["KeyId"])[0] == "InvalidCiphertextException"
assert refused(kms.re_encrypt, CiphertextBlob=blob, SourceEncryptionContext=context, SourceKeyId=two["KeyId"],
               DestinationKeyId=two["KeyId"])[0] == "IncorrectKeyException"

# Data keys.
for size in [{"KeySpec": "AES_256"}, {"KeySpec": "AES_128"}, {"NumberOfBytes": 1024}]:
    made = kms.generate_data_key(KeyId=key, EncryptionContext=context, **size)
    want = {"AES_256": 32, "AES_128": 16}.get(size.get("KeySpec"), 1024)
    assert len(made["Plaintext"]) == want and made["KeyId"] == arn, made
    assert kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext=context)["Plaintext"] == made["Plaintext"]
    alone = kms.generate_data_key_without_plaintext(KeyId=key, **size)
    assert "Plaintext" not in alone and len(kms.decrypt(CiphertextBlob=alone["CiphertextBlob"])["Plaintext"]) == want
for wrong in [{}, {"KeySpec": "AES_256", "NumberOfBytes": 32}]:
    assert refused(kms.generate_data_key, KeyId=key, **wrong) == \
        ("ValidationException", "Please specify either number of bytes or key spec.")
assert len(kms.generate_random(NumberOfBytes=77)["Plaintext"]) == 77
assert refused(kms.generate_random, NumberOfBytes=1025)[0] == "ValidationException"
assert refused(kms.generate_random)[0] == "ValidationException"

# New material: what is old opens, what is new is of the new one.
assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False
kms.enable_key_rotation(KeyId=key)
status = kms.get_key_rotation_status(KeyId=key)
assert status["KeyRotationEnabled"] and status["RotationPeriodInDays"] == 365 and status["NextRotationDate"], status
kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
assert kms.get_key_rotation_status(KeyId=key)["RotationPeriodInDays"] == 90
assert kms.list_key_rotations(KeyId=key)["Rotations"] == []
for _ in range(3):
    assert kms.rotate_key_on_demand(KeyId=key)["KeyId"] == arn
newer = kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
assert newer != one["CurrentKeyMaterialId"]
opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)
assert opened["Plaintext"] == b"hunter2" and opened["KeyMaterialId"] == one["CurrentKeyMaterialId"], "the old material"
again = kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext=context, DestinationKeyId=key)
assert again["SourceKeyMaterialId"] == one["CurrentKeyMaterialId"] and again["DestinationKeyMaterialId"] == newer, again
rotations = kms.list_key_rotations(KeyId=key, Limit=2)
assert [r["RotationType"] for r in rotations["Rotations"]] == ["ON_DEMAND"] * 2 and rotations["Truncated"], rotations
rest = kms.list_key_rotations(KeyId=key, Marker=rotations["NextMarker"])["Rotations"]
assert [r["KeyMaterialState"] for r in rest] == ["CURRENT"] and rest[0]["KeyMaterialId"] == newer, rest
every = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
assert len(every) == 4 and every[0]["KeyMaterialId"] == one["CurrentKeyMaterialId"] and "RotationDate" not in every[0], every
kms.disable_key_rotation(KeyId=key)
assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False

# Codes.
hmac_key = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]
assert hmac_key["MacAlgorithms"] == ["HMAC_SHA_256"] and "EncryptionAlgorithms" not in hmac_key, hmac_key
mac = kms.generate_mac(KeyId=hmac_key["KeyId"], Message=b"hello", MacAlgorithm="HMAC_SHA_256")["Mac"]
assert len(mac) == 32
assert kms.verify_mac(KeyId=hmac_key["KeyId"], Message=b"hello", MacAlgorithm="HMAC_SHA_256", Mac=mac)["MacValid"]
for message, code in [(b"Hello", mac), (b"hello", mac[:-1] + bytes([mac[-1] ^ 1])), (b"hello", mac[:-1])]:
    assert refused(kms.verify_mac, KeyId=hmac_key["KeyId"], Message=message, MacAlgorithm="HMAC_SHA_256", Mac=code)[0] == \
        "KMSInvalidMacException"
assert refused(kms.encrypt, KeyId=hmac_key["KeyId"], Plaintext=b"x")[0] == "InvalidKeyUsageException"
assert refused(kms.generate_mac, KeyId=key, Message=b"x", MacAlgorithm="HMAC_SHA_256")[0] == "InvalidKeyUsageException"
assert refused(kms.generate_mac, KeyId=hmac_key["KeyId"], Message=b"x", MacAlgorithm="HMAC_SHA_512")[0] == "ValidationException"
for call in [kms.enable_key_rotation, kms.rotate_key_on_demand, kms.get_key_rotation_status, kms.list_key_rotations]:
    assert refused(call, KeyId=hmac_key["KeyId"])[0] == "UnsupportedOperationException", call
kms.create_alias(AliasName="alias/mac", TargetKeyId=hmac_key["KeyId"])
assert refused(kms.update_alias, AliasName="alias/mac", TargetKeyId=key)[0] == "ValidationException"
