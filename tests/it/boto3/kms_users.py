# Who may use a key: the key's policy together with the caller's own, as on AWS.
def client(service, key=None):
    key = key or {"AccessKeyId": os.environ["AWS_ACCESS_KEY_ID"], "SecretAccessKey": os.environ["AWS_SECRET_ACCESS_KEY"]}
    return boto3.client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"], aws_access_key_id=key["AccessKeyId"],
                        aws_secret_access_key=key["SecretAccessKey"], config=Config(retries={"total_max_attempts": 1}))

iam, kms = client("iam"), client("kms")
key = kms.create_key()["KeyMetadata"]
user = iam.create_user(UserName="app")["User"]["Arn"]
access = iam.create_access_key(UserName="app")["AccessKey"]
own, own_kms = client("secretsmanager", access), client("kms", access)
arn = sm.create_secret(Name="db", SecretString="hunter2", KmsKeyId=key["KeyId"])["ARN"]
blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"]

def allow(*actions, on="*", name="p"):
    statement = [{"Effect": "Allow", "Action": list(actions), "Resource": on}]
    iam.put_user_policy(UserName="app", PolicyName=name, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}))

# Secrets Manager alone is not enough for a secret under a key.
allow("secretsmanager:*")
assert refused(own.get_secret_value, SecretId="db") == ("AccessDeniedException", "Access to KMS is not allowed")
assert refused(own.put_secret_value, SecretId="db", SecretString="w") == ("AccessDeniedException", "Access to KMS is not allowed")
assert refused(own.create_secret, Name="new", SecretString="w", KmsKeyId=key["KeyId"]) == \
    ("AccessDeniedException", "Access to KMS is not allowed")
own.tag_resource(SecretId="db", Tags=[{"Key": "a", "Value": "b"}])
code, message = refused(own_kms.describe_key, KeyId=key["KeyId"])
assert code == "AccessDeniedException" and "kms:DescribeKey" in message and key["Arn"] in message, message
assert refused(own_kms.decrypt, CiphertextBlob=blob)[0] == "AccessDeniedException"
assert refused(own_kms.list_keys)[0] == "AccessDeniedException"
assert refused(own_kms.create_key)[0] == "AccessDeniedException"

# The key that leaves the matter to the account's policies: they let in.
allow("kms:Decrypt", on=key["Arn"], name="k")
assert own.get_secret_value(SecretId="db")["SecretString"] == "hunter2"
assert refused(own.put_secret_value, SecretId="db", SecretString="w")[0] == "AccessDeniedException"
assert own_kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
assert refused(own_kms.encrypt, KeyId=key["KeyId"], Plaintext=b"x")[0] == "AccessDeniedException"
allow("kms:Decrypt", "kms:GenerateDataKey", on=key["Arn"], name="k")
own.put_secret_value(SecretId="db", SecretString="hunter3")
assert own.get_secret_value(SecretId="db")["SecretString"] == "hunter3"

# What is encrypted and opened directly has a context as well, and a denial may ask for it.
bound = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": key["Arn"],
         "Condition": {"StringEquals": {"kms:EncryptionContext:app": "shop"}}}]}
iam.put_user_policy(UserName="app", PolicyName="k", PolicyDocument=json.dumps(bound))
bound_blob = own_kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext={"app": "shop"})["CiphertextBlob"]
assert own_kms.decrypt(CiphertextBlob=bound_blob, EncryptionContext={"app": "shop"})["Plaintext"] == b"x"
assert refused(own_kms.encrypt, KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext={"app": "bank"})[0] == "AccessDeniedException"
assert refused(own_kms.encrypt, KeyId=key["KeyId"], Plaintext=b"x")[0] == "AccessDeniedException"
assert refused(own_kms.decrypt, CiphertextBlob=blob)[0] == "AccessDeniedException"
allow("kms:Decrypt", "kms:GenerateDataKey", on=key["Arn"], name="k")

# One that does not name the account lets in only whom it names.
closed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
          "Action": ["kms:PutKeyPolicy", "kms:GetKeyPolicy"], "Resource": "*"}]}
kms.put_key_policy(KeyId=key["KeyId"], Policy=json.dumps(closed))
assert refused(own.get_secret_value, SecretId="db") == ("AccessDeniedException", "Access to KMS is not allowed")
iam.delete_user_policy(UserName="app", PolicyName="k")
through = {"StringEquals": {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com", "kms:EncryptionContext:SecretARN": arn}}
closed["Statement"].append({"Effect": "Allow", "Principal": {"AWS": user}, "Action": "kms:Decrypt", "Resource": "*", "Condition": through})
kms.put_key_policy(KeyId=key["KeyId"], Policy=json.dumps(closed))
assert own.get_secret_value(SecretId="db")["SecretString"] == "hunter3"
assert refused(own_kms.decrypt, CiphertextBlob=blob)[0] == "AccessDeniedException", "through Secrets Manager only"

# Nobody takes a value out from under a key that he may not open with.
allow("secretsmanager:*")
closed["Statement"].pop()
kms.put_key_policy(KeyId=key["KeyId"], Policy=json.dumps(closed))
own.update_secret(SecretId="db", KmsKeyId="")
assert refused(own.get_secret_value, SecretId="db") == ("AccessDeniedException", "Access to KMS is not allowed")
assert sm.get_secret_value(SecretId="db")["SecretString"] == "hunter3"
