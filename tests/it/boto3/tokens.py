import uuid

one, two = str(uuid.uuid4()), str(uuid.uuid4())
first = sm.create_secret(Name="s", SecretString="a", ClientRequestToken=one)
again = sm.create_secret(Name="s", SecretString="a", ClientRequestToken=one)
assert first["VersionId"] == one and again["ARN"] == first["ARN"] and again["VersionId"] == one
assert refused(sm.create_secret, Name="s", SecretString="a") == (
    "ResourceExistsException", "The operation failed because the secret s already exists.")
in_use = ("ResourceExistsException",
          f"You can't use ClientRequestToken {one} because that value is already in use for a version of secret "
          f"{first['ARN']}.")
assert refused(sm.create_secret, Name="s", SecretString="b", ClientRequestToken=one) == in_use
assert refused(sm.put_secret_value, SecretId="s", SecretString="b", ClientRequestToken=one) == in_use
assert refused(sm.update_secret, SecretId="s", SecretString="b", ClientRequestToken=one) == in_use

put = sm.put_secret_value(SecretId="s", SecretString="b", ClientRequestToken=two)
again = sm.put_secret_value(SecretId="s", SecretString="b", ClientRequestToken=two)
assert put["VersionId"] == again["VersionId"] == two and again["VersionStages"] == ["AWSCURRENT"]
assert sm.update_secret(SecretId="s", SecretString="b", ClientRequestToken=two)["VersionId"] == two
assert sm.get_secret_value(SecretId="s")["VersionId"] == two
assert len(sm.list_secret_version_ids(SecretId="s", IncludeDeprecated=True)["Versions"]) == 2

# The same value under a new token is a new version.
three = sm.put_secret_value(SecretId="s", SecretString="b")["VersionId"]
assert three not in (one, two)
for short in ["a" * 31, "a" * 65]:
    try:
        sm.put_secret_value(SecretId="s", SecretString="b", ClientRequestToken=short)
        raise AssertionError("a token of a wrong length was taken")
    except Exception as error:
        assert "ParamValidation" in type(error).__name__ or "ClientError" in type(error).__name__, error
