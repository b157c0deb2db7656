import base64, hashlib, io, urllib.error, urllib.request, zipfile
import botocore.auth, botocore.awsrequest, botocore.session

lam = boto3.client("lambda", endpoint_url=os.environ["AWS_ENDPOINT_URL"],
                   config=Config(retries={"total_max_attempts": 1}, parameter_validation=False))
ROLE = "arn:aws:iam::000000000000:role/rotator"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
component = open(args["component"], "rb").read()

def leb(number):
    out = b""
    while True:
        number, low = number >> 7, number & 127
        out += bytes([low | 128 if number else low])
        if not number:
            return out

def with_manifest(text):
    name, body = b"pawl:manifest", text.encode()
    content = leb(len(name)) + name + body
    return component + b"\0" + leb(len(content)) + content

def zipped(*entries):
    to = io.BytesIO()
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return to.getvalue()

def sha256(content):
    return base64.b64encode(hashlib.sha256(content).digest()).decode()

def no(status, call, **parameters):
    try:
        answer = call(**parameters)
    except ClientError as error:
        meta = error.response["ResponseMetadata"]
        assert meta["HTTPStatusCode"] == status, error.response
        assert meta.get("RequestId"), error.response
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError(f"{call.__name__} of {sorted(parameters)} succeeded: {answer}")

def create(name, content, **more):
    return lam.create_function(FunctionName=name, Runtime="provided.al2023", Handler="component", Role=ROLE,
                               Code={"ZipFile": content}, **more)

def approve(name, grants):
    request = botocore.awsrequest.AWSRequest(
        method="POST", url=os.environ["AWS_ENDPOINT_URL"] + "/",
        data=json.dumps({"FunctionName": name, "Grants": grants}).encode(),
        headers={"X-Amz-Target": "Pawl.ApproveFunction", "Content-Type": "application/x-amz-json-1.1"})
    keys = botocore.session.Session().get_credentials()
    botocore.auth.SigV4Auth(keys, "pawl", "us-east-1").add_auth(request)
    prepared = request.prepare()
    sent = urllib.request.Request(prepared.url, data=prepared.body, headers=dict(prepared.headers), method="POST")
    try:
        return json.load(urllib.request.urlopen(sent))
    except urllib.error.HTTPError as error:
        raise AssertionError(error.read())
