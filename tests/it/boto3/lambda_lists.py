own = [one["FunctionName"] for one in lam.list_functions()["Functions"]]
assert "pawl-postgres-single-user" in own and own == sorted(own), own
builtin = lam.get_function(FunctionName="pawl-postgres-single-user")["Configuration"]
assert builtin["State"] == "Active" and builtin["Description"] and len(base64.b64decode(builtin["CodeSha256"])) == 32, builtin
policy = json.loads(lam.get_policy(FunctionName="pawl-postgres-single-user")["Policy"])
assert policy["Statement"][0]["Principal"] == {"Service": "secretsmanager.amazonaws.com"}, policy
for call, more in [(lam.delete_function, {}), (lam.publish_version, {}), (lam.update_function_configuration, {"Timeout": 3}),
                   (lam.put_function_concurrency, {"ReservedConcurrentExecutions": 1}),
                   (lam.add_permission, {"StatementId": "s", "Action": "*", "Principal": "*"})]:
    assert no(409, call, FunctionName="pawl-postgres-single-user", **more)[0] == "ResourceConflictException"
for name in ["pawl-postgres-single-user", "pawl-mine"]:
    assert no(409, create, name=name, content=component)[0] == "ResourceConflictException"
assert no(404, lam.get_function, FunctionName="pawl-mine")[0] == "ResourceNotFoundException"

# Pages: with those of the host among them, with every version, and by boto3's own paginator.
GRANTS = '[grants]\nengines = ["postgres"]\n'
content = with_manifest(GRANTS)
names = ["a-first", "pawn", "zz-last"]
for name in names:
    approve(name, GRANTS)
    create(name, content, Publish=True)
for version in ["2", "3"]:
    lam.update_function_configuration(FunctionName="pawn", Description=version)
    assert lam.publish_version(FunctionName="pawn")["Version"] == version
everything = sorted(own + names)
for size in [1, 2, 3, 50]:
    pages, marker = [], {}
    while True:
        page = lam.list_functions(MaxItems=size, **marker)
        assert 0 < len(page["Functions"]) <= size, page
        pages += [one["FunctionName"] for one in page["Functions"]]
        if "NextMarker" not in page:
            break
        marker = {"Marker": page["NextMarker"]}
    assert pages == everything, (size, pages)
    pages, marker = [], {}
    while True:
        page = lam.list_functions(MaxItems=size, FunctionVersion="ALL", **marker)
        pages += [one["FunctionArn"].split(":function:")[1] for one in page["Functions"]]
        if "NextMarker" not in page:
            break
        marker = {"Marker": page["NextMarker"]}
    versions = {"a-first": ["$LATEST", "1"], "pawn": ["$LATEST", "1", "2", "3"], "zz-last": ["$LATEST", "1"]}
    assert pages == [f"{name}:{v}" for name in everything for v in versions.get(name, ["$LATEST"])], (size, pages)
paged = lam.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
assert [one["FunctionName"] for page in paged for one in page["Functions"]] == everything
marker = lam.list_functions(MaxItems=1)["NextMarker"]
for call, more in [(lam.list_functions, {"Marker": marker, "FunctionVersion": "ALL"}), (lam.list_functions, {"Marker": "x"}),
                   (lam.list_aliases, {"FunctionName": "pawn", "Marker": marker})]:
    assert no(400, call, **more)[0] == "InvalidParameterValueException"
for more in [{"MaxItems": 0}, {"MaxItems": 10001}, {"MaxItems": "x"}, {"FunctionVersion": "SOME"}]:
    assert no(400, lam.list_functions, **more)[0] == "ValidationException", more

# Another region is another namespace.
elsewhere = boto3.client("lambda", region_name="eu-west-1", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
assert [one["FunctionName"] for one in elsewhere.list_functions()["Functions"]] == own
assert no(404, elsewhere.get_function, FunctionName="pawn")[0] == "ResourceNotFoundException"

# A rehearsal.
assert lam.invoke(FunctionName="pawn", InvocationType="DryRun")["StatusCode"] == 204
assert no(404, lam.invoke, FunctionName="pawn", Qualifier="9", InvocationType="DryRun")[0] == "ResourceNotFoundException"
code, message = no(400, lam.invoke, FunctionName="pawn", InvocationType="Event")
assert code == "InvalidParameterValueException" and "RequestResponse" in message, message
answer = lam.invoke(FunctionName="pawn", Qualifier="2", LogType="Tail", Payload=b"{}")
assert (answer["StatusCode"], answer["ExecutedVersion"], answer["FunctionError"]) == (200, "2", "Unhandled"), answer
assert "REPORT RequestId: " in base64.b64decode(answer["LogResult"]).decode(), answer
assert json.load(answer["Payload"])["errorMessage"], answer
assert no(400, lam.invoke, FunctionName="pawn", Payload=b"{")[0] == "InvalidRequestContentException"
lam.put_function_concurrency(FunctionName="pawn", ReservedConcurrentExecutions=0)
assert no(429, lam.invoke, FunctionName="pawn", Payload=b"{}")[0] == "TooManyRequestsException"
