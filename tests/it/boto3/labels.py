def stages():
    return {v: sorted(s) for v, s in sm.describe_secret(SecretId="s")["VersionIdsToStages"].items()}

one = sm.create_secret(Name="s", SecretString="1")["VersionId"]

# A label other than AWSCURRENT leaves AWSCURRENT where it is.
put = sm.put_secret_value(SecretId="s", SecretString="2", VersionStages=["BLUE"])
two = put["VersionId"]
assert put["VersionStages"] == ["BLUE"], put
assert sm.get_secret_value(SecretId="s")["SecretString"] == "1"
assert sm.get_secret_value(SecretId="s", VersionStage="BLUE")["SecretString"] == "2"
assert stages() == {one: ["AWSCURRENT"], two: ["BLUE"]}, stages()

# A label sits on one version: the next put takes it, and the version left bare is deprecated.
three = sm.put_secret_value(SecretId="s", SecretString="3", VersionStages=["BLUE"])["VersionId"]
assert stages() == {one: ["AWSCURRENT"], three: ["BLUE"]}, stages()
listed = {v["VersionId"]: v for v in sm.list_secret_version_ids(SecretId="s")["Versions"]}
assert set(listed) == {one, three}, listed
listed = {v["VersionId"]: v for v in sm.list_secret_version_ids(SecretId="s", IncludeDeprecated=True)["Versions"]}
assert set(listed) == {one, two, three} and "VersionStages" not in listed[two], listed
assert listed[one]["KmsKeyIds"] == ["DefaultEncryptionKey"], listed[one]

# AWSCURRENT moves with both ends named; AWSPREVIOUS follows by itself.
code, message = refused(sm.update_secret_version_stage, SecretId="s", VersionStage="AWSCURRENT", MoveToVersionId=three)
assert code == "InvalidParameterException", (code, message)
assert message == (
    "The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version "
    f"{one}, so you must explicitly reference that version in RemoveFromVersionId."), message
moved = sm.update_secret_version_stage(SecretId="s", VersionStage="AWSCURRENT", MoveToVersionId=three,
                                       RemoveFromVersionId=one)
assert set(moved) - {"ResponseMetadata"} == {"ARN", "Name"}, moved
assert stages() == {one: ["AWSPREVIOUS"], three: ["AWSCURRENT", "BLUE"]}, stages()

four = sm.put_secret_value(SecretId="s", SecretString="4")["VersionId"]
current = stages()
assert current[four] == ["AWSCURRENT"] and "AWSPREVIOUS" in current[three] and one not in current, current

# Taking a label away, and only that.
sm.update_secret_version_stage(SecretId="s", VersionStage="GREEN", MoveToVersionId=four)
assert stages()[four] == ["AWSCURRENT", "GREEN"], stages()
sm.update_secret_version_stage(SecretId="s", VersionStage="GREEN", RemoveFromVersionId=four)
assert stages()[four] == ["AWSCURRENT"], stages()

# A version and a label that do not belong together.
assert refused(sm.get_secret_value, SecretId="s", VersionId=four, VersionStage="AWSPREVIOUS") == (
    "InvalidRequestException", "You provided a VersionStage that is not associated to the provided VersionId.")
assert refused(sm.get_secret_value, SecretId="s", VersionStage="NOPE") == (
    "ResourceNotFoundException",
    "Secrets Manager can't find the specified secret value for staging label: NOPE")
unknown = "0" * 36
assert refused(sm.get_secret_value, SecretId="s", VersionId=unknown) == (
    "ResourceNotFoundException",
    f"Secrets Manager can't find the specified secret value for VersionId: {unknown}")

# AWSPENDING by hand, as a rotation function of one's own does it.
five = sm.put_secret_value(SecretId="s", SecretString="5", VersionStages=["AWSPENDING"])["VersionId"]
assert sm.get_secret_value(SecretId="s")["SecretString"] == "4"
sm.update_secret_version_stage(SecretId="s", VersionStage="AWSCURRENT", MoveToVersionId=five, RemoveFromVersionId=four)
assert stages()[five] == ["AWSCURRENT", "AWSPENDING"] and stages()[four] == ["AWSPREVIOUS"], stages()
six = sm.put_secret_value(SecretId="s", SecretString="6")["VersionId"]
assert stages() == {six: ["AWSCURRENT"], five: ["AWSPREVIOUS"], three: ["BLUE"]}, stages()
