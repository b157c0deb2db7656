import botocore.awsrequest, http.client, threading
from urllib.parse import urlsplit

plain = with_manifest('[grants]\nengines = ["postgres"]\n')
assert "engines" in approve("f", '[grants]\nengines = ["postgres"]\n')["Approved"]

# What is no package, or no rotator.
for content, words in [
    (b"", "Could not unzip uploaded file"),
    (b"#!/bin/sh\n", "Could not unzip uploaded file"),
    (zipped(), "holds no component"),
    (zipped(("a.wasm", plain), ("b.wasm", plain)), "more than one component"),
    (zipped(("a.wasm", plain), ("pawl.toml", b"")), "`pawl.toml`"),
    (zipped(("a.wasm", b"\0" * (65 << 20))), "more than 67108864 bytes"),
    (zipped(*[(f"{n}/", b"") for n in range(65)]), "more than 64 entries"),
    (zipped(("a.wasm", b"not wasm")), "the component "),
    (b"\0asm\1\0\0\0", "the component "),
    (component, "its manifest does not ask for `engines`"),
    (with_manifest("[grants]\nengines = [\"oracle\"]\n"), "pawl.toml"),
    (with_manifest("timeout = 0\n[grants]\nengines = [\"postgres\"]\n"), "timeout must be from 1 to 900"),
]:
    code, message = no(400, create, name="f", content=content)
    assert code == "InvalidParameterValueException" and words in message, (words, code, message)
flipped = bytearray(zipped(("a.wasm", plain)))
flipped[len(flipped) // 2] ^= 1
assert no(400, create, name="f", content=bytes(flipped))[0] == "InvalidParameterValueException"

# What Lambda has and Pawl has not, and what is no setting.
for more, words in [
    ({"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:l:1"]}, "Layers: Pawl has no layers"),
    ({"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}, "VpcConfig: "),
    ({"PackageType": "Image"}, "PackageType: "),
    ({"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:q"}}, "DeadLetterConfig: "),
    ({"TracingConfig": {"Mode": "Active"}}, "TracingConfig: "),
    ({"EphemeralStorage": {"Size": 1024}}, "EphemeralStorage: "),
    ({"KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k"}, "KMSKeyArn: "),
    ({"Timeout": 901}, "a timeout is 1 to 900 seconds"),
    ({"MemorySize": 64}, "a memory size is 128 to 10240 MB"),
    ({"Environment": {"Variables": {"1X": "v"}}}, "`1X` is no name of an environment variable"),
    ({"Environment": {"Variables": {"XX": "v" * 4096}}}, "4KB limit"),
    ({"Tags": {str(n): "v" for n in range(51)}}, "at most 50 tags"),
]:
    code, message = no(400, create, name="f", content=plain, **more)
    assert code == "InvalidParameterValueException" and words in message, (words, code, message)
for code in [{"S3Bucket": "b", "S3Key": "k"}, {"ImageUri": "i"}, {}]:
    answer = no(400, lam.create_function, FunctionName="f", Role=ROLE, Code=code)
    assert answer[0] == "InvalidParameterValueException" and "component" in answer[1], answer
assert no(400, lam.create_function, FunctionName="f", Role="rotator", Code={"ZipFile": plain})[0] == "ValidationException"
assert no(400, lam.create_function, FunctionName="f", Code={"ZipFile": plain})[0] == "ValidationException"
for name in ["", "a b", "f" * 65, "f.g", "arn:aws:s3:::f", "../f", "f:1:2"]:
    assert no(400, create, name=name, content=plain)[0] == "ValidationException", name
assert no(404, lam.get_function, FunctionName="f")[0] == "ResourceNotFoundException", "nothing came of any of it"

for call, parameters in [
    (lam.create_event_source_mapping, {"FunctionName": "f", "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:q"}),
    (lam.create_function_url_config, {"FunctionName": "f", "AuthType": "NONE"}),
    (lam.put_function_event_invoke_config, {"FunctionName": "f"}),
    (lam.publish_layer_version, {"LayerName": "l", "Content": {"ZipFile": b""}}),
    (lam.put_provisioned_concurrency_config, {"FunctionName": "f", "Qualifier": "1", "ProvisionedConcurrentExecutions": 1}),
    (lam.put_function_code_signing_config, {"FunctionName": "f", "CodeSigningConfigArn": "c"}),
]:
    code, message = no(400, call, **parameters)
    assert code == "InvalidParameterValueException" and "ha" in message, (code, message)

# Two creations at once: one function, and one refusal.
answers = []
def one():
    try:
        answers.append(create("f", plain)["RevisionId"])
    except ClientError as error:
        answers.append(error.response["Error"]["Code"])
threads = [threading.Thread(target=one) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
made = lam.get_function_configuration(FunctionName="f")["RevisionId"]
assert sorted(answers, key=lambda answer: answer != made) == [made] + ["ResourceConflictException"] * 3, answers

# Of changes on one revision, one is made.
answers = []
def change(number):
    try:
        answers.append(lam.update_function_configuration(FunctionName="f", Description=str(number), RevisionId=made)["Description"])
    except ClientError as error:
        answers.append(error.response["Error"]["Code"])
threads = [threading.Thread(target=change, args=(number,)) for number in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
said = lam.get_function_configuration(FunctionName="f")["Description"]
assert sorted(answers, key=lambda answer: answer != said) == [said] + ["PreconditionFailedException"] * 5, answers
# Without one, all are, in some order.
lam.publish_version(FunctionName="f")
threads = [threading.Thread(target=lambda number=number: lam.create_alias(FunctionName="f", Name=f"a{number}", FunctionVersion="1"))
           for number in range(12)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert len(lam.list_aliases(FunctionName="f")["Aliases"]) == 12

# Requests that no SDK would make.
place = urlsplit(os.environ["AWS_ENDPOINT_URL"])
keys = botocore.session.Session().get_credentials()
def send(method, path, body=b"", service="lambda", sign=True, headers=None, alter=None):
    request = botocore.awsrequest.AWSRequest(method=method, url=os.environ["AWS_ENDPOINT_URL"] + path, data=body,
                                             headers=dict(headers or {}))
    if sign:
        botocore.auth.SigV4Auth(keys, service, "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
    sent = dict(request.headers.items())
    connection.request(method, alter or path, body, sent)
    answer = connection.getresponse()
    return answer.status, answer.headers.get("x-amzn-errortype"), answer.read()

BASE = "/2015-03-31/functions"
assert send("GET", f"{BASE}/f")[0] == 200
assert send("GET", f"{BASE}/f/")[0] == 200
assert send("GET", f"{BASE}/f", sign=False)[:2] == (403, "MissingAuthenticationTokenException")
assert send("GET", f"{BASE}/f", service="secretsmanager")[:2] == (403, "InvalidSignatureException")
assert send("GET", f"{BASE}/f", alter=f"{BASE}/g")[:2] == (403, "InvalidSignatureException")
# The same signature, by a path that is resolved before it is signed.
assert send("GET", f"{BASE}/f", alter=f"{BASE}/g/../f")[:2] == (404, "UnknownOperationException")
assert send("GET", f"{BASE}/f", alter=f"/2015-03-31//functions/f")[:2] == (404, "UnknownOperationException")
assert send("GET", f"{BASE}/%2e%2e%2ff")[:2] == (400, "ValidationException")
assert send("GET", f"{BASE}/f?Qualifier=1&Qualifier=%24LATEST")[:2] == (400, "InvalidParameterValueException")
assert send("PATCH", f"{BASE}/f")[:2] == (404, "UnknownOperationException")
assert send("GET", "/2099-01-01/functions")[:2] == (404, "UnknownOperationException")
for body in [b"{", b"[]", b'{"FunctionName":"f","FunctionName":"g"}', b'{"Code":{"ZipFile":"***"}}', b"\xff"]:
    assert send("POST", BASE, body)[:2] == (400, "InvalidRequestContentException"), body
for name in ["Novelty", "functionName"]:
    assert send("POST", BASE, json.dumps({name: 1}).encode())[:2] == (400, "InvalidParameterValueException")
assert send("POST", f"{BASE}/f/policy", b" " * (512 * 1024 + 1))[:2] == (413, "RequestTooLargeException")

# A body is not received from somebody unknown, nor one that says that it is too long.
def begin(path, headers):
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
    connection.putrequest("POST", path, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.headers.get("x-amzn-errortype")
assert begin(BASE, {"Content-Length": str(60 << 20)}) == (403, "MissingAuthenticationTokenException")
stranger = botocore.credentials.Credentials("AKIASOMEBODYELSE0000", "x" * 40)
request = botocore.awsrequest.AWSRequest(method="POST", url=os.environ["AWS_ENDPOINT_URL"] + BASE, data=b"")
botocore.auth.SigV4Auth(stranger, "lambda", "us-east-1").add_auth(request)
assert begin(BASE, {**dict(request.headers.items()), "Content-Length": str(60 << 20)}) == (403, "UnrecognizedClientException")
request = botocore.awsrequest.AWSRequest(method="POST", url=os.environ["AWS_ENDPOINT_URL"] + BASE, data=b"")
botocore.auth.SigV4Auth(keys, "lambda", "us-east-1").add_auth(request)
assert begin(BASE, {**dict(request.headers.items()), "Content-Length": str(71 << 20)}) == (413, "RequestTooLargeException")
# One that signs its body's hash is verified before the body has come.
request = botocore.awsrequest.AWSRequest(method="POST", url=os.environ["AWS_ENDPOINT_URL"] + BASE, data=b"",
                                         headers={"X-Amz-Content-SHA256": "0" * 64})
botocore.auth.SigV4Auth(keys, "lambda", "us-east-1").add_auth(request)
forged = {**dict(request.headers.items()), "X-Amz-Content-SHA256": "1" * 64, "Content-Length": str(60 << 20)}
assert begin(BASE, forged) == (403, "InvalidSignatureException")

# The host is as it was.
assert send("GET", f"{BASE}/f")[0] == 200
