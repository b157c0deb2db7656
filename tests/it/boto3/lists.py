names = [f"list/{number:02}" for number in range(12)]
for number, name in enumerate(names):
    sm.create_secret(Name=name, Description=f"Number {number} of the Dozen", SecretString="x",
                     Tags=[{"Key": "parity", "Value": "odd" if number % 2 else "even"}])
sm.create_secret(Name="other", SecretString="x")

def listed(**parameters):
    found, pages, token = [], 0, None
    while True:
        more = {"NextToken": token} if token else {}
        page = sm.list_secrets(**parameters, **more)
        pages += 1
        found += [secret["Name"] for secret in page["SecretList"]]
        token = page.get("NextToken")
        if not token:
            return found, pages

assert listed() == (names + ["other"], 1), listed()
found, pages = listed(MaxResults=5)
assert found == names + ["other"] and pages == 3, (found, pages)
assert listed(SortOrder="desc", MaxResults=4)[0] == (names + ["other"])[::-1]
assert listed(Filters=[{"Key": "name", "Values": ["list/1"]}])[0] == ["list/10", "list/11"]
assert listed(Filters=[{"Key": "name", "Values": ["!list"]}])[0] == ["other"]
assert listed(Filters=[{"Key": "name", "Values": ["LIST"]}])[0] == []
assert listed(Filters=[{"Key": "tag-value", "Values": ["odd"]}])[0] == names[1::2]
assert listed(Filters=[{"Key": "tag-key", "Values": ["parity"]}, {"Key": "name", "Values": ["list/00", "list/01"]}])[0] == names[:2]
assert listed(Filters=[{"Key": "description", "Values": ["dozen"]}])[0] == names
assert listed(Filters=[{"Key": "description", "Values": ["number 3"]}])[0] == ["list/03"]
for page in [{"NextToken": "not a token"}]:
    code, _ = refused(sm.list_secrets, **page)
    assert code in ("InvalidNextTokenException", "InvalidParameterException"), code
entry = sm.list_secrets(MaxResults=1)["SecretList"][0]
assert "SecretVersionsToStages" in entry and "VersionIdsToStages" not in entry, entry

versions = [sm.put_secret_value(SecretId="other", SecretString=str(n), VersionStages=[f"L{n}"])["VersionId"]
            for n in range(7)]
found, token = [], None
while True:
    page = sm.list_secret_version_ids(SecretId="other", MaxResults=3, **({"NextToken": token} if token else {}))
    found += [version["VersionId"] for version in page["Versions"]]
    token = page.get("NextToken")
    if not token:
        break
assert len(found) == len(set(found)) == 8 and set(versions) < set(found), found
