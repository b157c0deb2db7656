plain = with_manifest("[grants]\nengines = []\n") if args.get("plain") else None
own = [one["FunctionName"] for one in lam.list_functions()["Functions"]]
assert "pawl-postgres-single-user" in own and own == sorted(own), own
builtin = lam.get_function(FunctionName="pawl-postgres-single-user")["Configuration"]
assert builtin["State"] == "Active" and builtin["Description"], builtin
policy = json.loads(lam.get_policy(FunctionName="pawl-postgres-single-user")["Policy"])
assert policy["Statement"][0]["Principal"] == {"Service": "secretsmanager.amazonaws.com"}, policy
for call, more in [(lam.delete_function, {}), (lam.publish_version, {}), (lam.update_function_configuration, {"Timeout": 3}),
                   (lam.put_function_concurrency, {"ReservedConcurrentExecutions": 1}),
                   (lam.add_permission, {"StatementId": "s", "Action": "*", "Principal": "*"})]:
    assert no(409, call, FunctionName="pawl-postgres-single-user", **more)[0] == "ResourceConflictException"
for name in ["pawl-postgres-single-user", "pawl-mine"]:
    assert no(409, create, name=name, content=component)[0] == "ResourceConflictException"
