import threading

GRANTS = '[grants]\nengines = ["postgres"]\n'
content = with_manifest(GRANTS)
other = boto3.client("lambda", endpoint_url=args["elsewhere"], config=Config(retries={"total_max_attempts": 1}))
approve("shared", GRANTS)

def together(calls):
    answers = []
    def one(call):
        try:
            answers.append(call())
        except ClientError as error:
            answers.append(error.response["Error"]["Code"])
    threads = [threading.Thread(target=one, args=(call,)) for call in calls]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return answers

def created(client):
    return lambda: client.create_function(FunctionName="shared", Runtime="r", Handler="h", Role=ROLE,
                                          Code={"ZipFile": content})["RevisionId"]
answers = together([created(client) for client in [lam, other] * 3])
made = other.get_function_configuration(FunctionName="shared")["RevisionId"]
assert sorted(answers, key=lambda answer: answer != made) == [made] + ["ResourceConflictException"] * 5, answers

# One of the changes that rest on one revision is made, by whichever host.
def described(client, number):
    return lambda: client.update_function_configuration(
        FunctionName="shared", Description=str(number), RevisionId=made)["Description"]
answers = together([described(client, number) for number, client in enumerate([lam, other] * 4)])
said = lam.get_function_configuration(FunctionName="shared")["Description"]
assert sorted(answers, key=lambda answer: answer != said) == [said] + ["PreconditionFailedException"] * 7, answers

# What rests on nothing is made, or refused as too much at once, and none of it is lost.
def permitted(client, number):
    def call():
        client.add_permission(FunctionName="shared", StatementId=f"s{number}", Action="lambda:InvokeFunction", Principal="*")
        return f"s{number}"
    return call
answers = together([permitted(client, number) for number, client in enumerate([lam, other] * 6)])
policy = json.loads(other.get_policy(FunctionName="shared")["Policy"])
held = sorted(statement["Sid"] for statement in policy["Statement"])
assert held == sorted(answer for answer in answers if answer != "ResourceConflictException") and len(held) >= 2, (held, answers)
# A version that one host published is the other's, with its code.
assert lam.publish_version(FunctionName="shared")["Version"] == "1"
assert other.invoke(FunctionName="shared", Qualifier="1", InvocationType="DryRun")["StatusCode"] == 204
lam.delete_function(FunctionName="shared")
assert no(404, other.get_function, FunctionName="shared")[0] == "ResourceNotFoundException"
