GRANTS = '[grants]\nengines = ["postgres"]\nown-target = true\n'
asking = with_manifest('description = "Rotates."\ntimeout = 20\nmemory = 256\n' + GRANTS)
package = zipped(("rotator.wasm", asking))

# What is asked and not approved is told line by line, with the command.
code, message = no(400, create, name="rotator", content=package)
assert code == "InvalidParameterValueException", (code, message)
assert "\n  + engines: log in to postgres servers\n  + own-target: " in message, message
assert "`pawl function approve rotator FILE`" in message, message
assert no(404, lam.get_function, FunctionName="rotator") == (
    "ResourceNotFoundException", f"Function not found: {ARN}rotator")
assert lam.get_account_settings()["AccountUsage"] == {"TotalCodeSize": 0, "FunctionCount": 0}

approved = approve("rotator", GRANTS)
assert approved["ApprovedBy"] == "arn:aws:iam::000000000000:root", approved
assert "own-target = true" in approved["Approved"] and approved["Versions"] == [], approved

made = create("rotator", package, Tags={"team": "db"}, Environment={"Variables": {"PASSWORD_LENGTH": "40"}})
assert made["ResponseMetadata"]["HTTPStatusCode"] == 201, made
assert made["FunctionArn"] == ARN + "rotator" and made["Version"] == "$LATEST", made
assert made["CodeSha256"] == sha256(package) and made["CodeSize"] == len(package), made
assert (made["Description"], made["Timeout"], made["MemorySize"]) == ("Rotates.", 20, 256), made
assert (made["State"], made["LastUpdateStatus"], made["Role"]) == ("Active", "Successful", ROLE), made
assert made["Environment"] == {"Variables": {"PASSWORD_LENGTH": "40"}} and made["PackageType"] == "Zip", made
assert no(409, create, name="rotator", content=package) == (
    "ResourceConflictException", "Function already exist: rotator")
lam.get_waiter("function_active_v2").wait(FunctionName="rotator")
lam.get_waiter("function_updated_v2").wait(FunctionName=ARN + "rotator")

got = lam.get_function(FunctionName=ARN + "rotator")
assert got["Tags"] == {"team": "db"} and "Concurrency" not in got, got
plain = {key: value for key, value in made.items() if key != "ResponseMetadata"}
assert got["Configuration"] == plain, (got, plain)
for name in ["rotator", "rotator:$LATEST", "000000000000:function:rotator", "function:rotator", ARN + "rotator:$LATEST"]:
    assert lam.get_function_configuration(FunctionName=name)["CodeSha256"] == made["CodeSha256"], name
assert no(404, lam.get_function, FunctionName=ARN.replace("us-east-1", "eu-west-1") + "rotator")[0] == "ResourceNotFoundException"
assert no(400, lam.get_function, FunctionName="rotator:1", Qualifier="2")[0] == "InvalidParameterValueException"
assert no(404, lam.get_function, FunctionName="rotator", Qualifier="7")[0] == "ResourceNotFoundException"
assert no(400, lam.get_function, FunctionName="no name")[0] == "ValidationException"

# The raw component, and a second version of it; a precondition of each kind.
first = lam.publish_version(FunctionName="rotator", CodeSha256=made["CodeSha256"], RevisionId=made["RevisionId"],
                            Description="the first")
assert first["ResponseMetadata"]["HTTPStatusCode"] == 201, first
assert (first["Version"], first["FunctionArn"], first["Description"]) == ("1", ARN + "rotator:1", "the first"), first
assert lam.publish_version(FunctionName="rotator")["Version"] == "1", "nothing has changed"
updated = lam.update_function_code(FunctionName="rotator", ZipFile=asking, RevisionId=made["RevisionId"])
assert updated["CodeSha256"] == sha256(asking) and updated["RevisionId"] != made["RevisionId"], updated
assert no(412, lam.update_function_code, FunctionName="rotator", ZipFile=asking, RevisionId=made["RevisionId"])[0] == \
    "PreconditionFailedException"
assert no(412, lam.publish_version, FunctionName="rotator", RevisionId=made["RevisionId"])[0] == "PreconditionFailedException"
assert no(400, lam.publish_version, FunctionName="rotator", CodeSha256=made["CodeSha256"])[0] == \
    "InvalidParameterValueException"
dry = lam.update_function_code(FunctionName="rotator", ZipFile=package, DryRun=True)
assert dry["CodeSha256"] == made["CodeSha256"]
assert lam.get_function(FunctionName="rotator")["Configuration"]["CodeSha256"] == updated["CodeSha256"]
changed = lam.update_function_configuration(FunctionName="rotator", Timeout=30, Description="new",
                                            Environment={"Variables": {}})
assert (changed["Timeout"], changed["Description"], changed["MemorySize"]) == (30, "new", 256), changed
assert "Environment" not in changed, changed
second = lam.update_function_code(FunctionName="rotator", ZipFile=package, Publish=True)
assert (second["Version"], second["FunctionArn"]) == ("2", ARN + "rotator:2"), second
kept = lam.get_function_configuration(FunctionName="rotator", Qualifier="1")
assert (kept["Timeout"], kept["Environment"]) == (20, {"Variables": {"PASSWORD_LENGTH": "40"}}), kept
listed = lam.list_versions_by_function(FunctionName="rotator")["Versions"]
assert [one["Version"] for one in listed] == ["$LATEST", "1", "2"], listed
assert [one["FunctionArn"] for one in listed] == [ARN + "rotator:" + v for v in ["$LATEST", "1", "2"]], listed
page = lam.list_versions_by_function(FunctionName="rotator", MaxItems=2)
rest = lam.list_versions_by_function(FunctionName="rotator", MaxItems=2, Marker=page["NextMarker"])
assert [one["Version"] for one in page["Versions"] + rest["Versions"]] == ["$LATEST", "1", "2"] and "NextMarker" not in rest

# Aliases, and how they divide.
live = lam.create_alias(FunctionName="rotator", Name="live", FunctionVersion="1", Description="for all")
assert (live["AliasArn"], live["FunctionVersion"]) == (ARN + "rotator:live", "1"), live
assert no(409, lam.create_alias, FunctionName="rotator", Name="live", FunctionVersion="1")[0] == "ResourceConflictException"
assert no(404, lam.create_alias, FunctionName="rotator", Name="gone", FunctionVersion="9")[0] == "ResourceNotFoundException"
assert no(400, lam.create_alias, FunctionName="rotator", Name="12", FunctionVersion="1")[0] == "ValidationException"
moved = lam.update_alias(FunctionName="rotator", Name="live", RevisionId=live["RevisionId"],
                         RoutingConfig={"AdditionalVersionWeights": {"2": 0.25}})
assert moved["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.25}} and moved["FunctionVersion"] == "1", moved
assert no(412, lam.update_alias, FunctionName="rotator", Name="live", RevisionId=live["RevisionId"])[0] == \
    "PreconditionFailedException"
assert lam.get_alias(FunctionName="rotator", Name="live")["RevisionId"] == moved["RevisionId"]
assert lam.get_function(FunctionName="rotator:live")["Configuration"]["Version"] == "1"
assert [one["Name"] for one in lam.list_aliases(FunctionName="rotator", FunctionVersion="2")["Aliases"]] == ["live"]
assert no(409, lam.delete_function, FunctionName="rotator", Qualifier="2")[0] == "ResourceConflictException"

# Who may invoke it.
assert no(404, lam.get_policy, FunctionName="rotator") == (
    "ResourceNotFoundException", "The resource you requested does not exist.")
added = lam.add_permission(FunctionName="rotator", StatementId="rotation", Action="lambda:InvokeFunction",
                           Principal="secretsmanager.amazonaws.com", SourceAccount="000000000000")
assert added["ResponseMetadata"]["HTTPStatusCode"] == 201, added
statement = {"Sid": "rotation", "Effect": "Allow", "Principal": {"Service": "secretsmanager.amazonaws.com"},
             "Action": "lambda:InvokeFunction", "Resource": ARN + "rotator",
             "Condition": {"StringEquals": {"AWS:SourceAccount": "000000000000"}}}
assert json.loads(added["Statement"]) == statement, added
assert no(409, lam.add_permission, FunctionName="rotator", StatementId="rotation", Action="*", Principal="*")[0] == \
    "ResourceConflictException"
policy = lam.get_policy(FunctionName="rotator")
assert json.loads(policy["Policy"]) == {"Version": "2012-10-17", "Id": "default", "Statement": [statement]}, policy
lam.add_permission(FunctionName="rotator", StatementId="on-alias", Action="lambda:InvokeFunction", Principal="*",
                   Qualifier="live")
on_alias = json.loads(lam.get_policy(FunctionName="rotator", Qualifier="live")["Policy"])["Statement"]
assert [one["Resource"] for one in on_alias] == [ARN + "rotator:live"], on_alias
assert no(412, lam.remove_permission, FunctionName="rotator", StatementId="rotation", RevisionId="x")[0] == \
    "PreconditionFailedException"
gone = lam.remove_permission(FunctionName="rotator", StatementId="rotation", RevisionId=policy["RevisionId"])
assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204, gone
assert no(404, lam.remove_permission, FunctionName="rotator", StatementId="rotation")[0] == "ResourceNotFoundException"

# Concurrency, tags, and what Terraform reads.
assert lam.put_function_concurrency(FunctionName="rotator", ReservedConcurrentExecutions=2)["ReservedConcurrentExecutions"] == 2
assert lam.get_function(FunctionName="rotator")["Concurrency"] == {"ReservedConcurrentExecutions": 2}
lam.delete_function_concurrency(FunctionName="rotator")
assert "ReservedConcurrentExecutions" not in lam.get_function_concurrency(FunctionName="rotator")
lam.tag_resource(Resource=ARN + "rotator", Tags={"a b": "c", "d": "e"})
lam.untag_resource(Resource=ARN + "rotator", TagKeys=["a b", "team"])
assert lam.list_tags(Resource=ARN + "rotator")["Tags"] == {"d": "e"}
assert not lam.get_function_code_signing_config(FunctionName="rotator").get("CodeSigningConfigArn")
assert lam.get_runtime_management_config(FunctionName="rotator")["UpdateRuntimeOn"] == "Auto"
assert lam.get_function_recursion_config(FunctionName="rotator")["RecursiveLoop"] == "Terminate"
usage = lam.get_account_settings()["AccountUsage"]
assert usage["FunctionCount"] == 1 and usage["TotalCodeSize"] > 2 * len(package), usage

# What was approved is taken back: the code that is there is not run any more, and no new one like it is taken.
assert approve("rotator", "")["Versions"][0]["Beyond"][0].startswith("engines: ")
assert no(400, lam.update_function_code, FunctionName="rotator", ZipFile=asking)[0] == "InvalidParameterValueException"

# Versions, aliases and the function go.
lam.delete_alias(FunctionName="rotator", Name="live")
assert no(404, lam.get_alias, FunctionName="rotator", Name="live")[0] == "ResourceNotFoundException"
lam.delete_function(FunctionName="rotator", Qualifier="1")
assert no(404, lam.get_function, FunctionName="rotator:1")[0] == "ResourceNotFoundException"
assert no(400, lam.delete_function, FunctionName="rotator", Qualifier="$LATEST")[0] == "InvalidParameterValueException"
gone = lam.delete_function(FunctionName=ARN + "rotator")
assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204, gone
assert no(404, lam.delete_function, FunctionName="rotator")[0] == "ResourceNotFoundException"
