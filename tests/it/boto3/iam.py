import datetime
QUIET = Config(retries={"total_max_attempts": 1})
ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
ACCOUNT = "000000000000"
iam = boto3.client("iam", endpoint_url=ENDPOINT, config=QUIET)
sts = boto3.client("sts", endpoint_url=ENDPOINT, config=QUIET)

def client(service, key):
    """A client with the credentials that an operation has answered."""
    return boto3.client(service, endpoint_url=ENDPOINT, config=QUIET, region_name="us-east-1",
                        aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"],
                        aws_session_token=key.get("SessionToken"))

def error(call, **parameters):
    """Status, code and message of a call that is refused."""
    try:
        answer = call(**parameters)
    except ClientError as refused:
        response = refused.response
        assert response["ResponseMetadata"].get("RequestId"), response
        return (response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"],
                response["Error"].get("Message") or response.get("message"))
    raise AssertionError(f"{call.__name__} {parameters} succeeded: {answer}")

def allow(action, resource="*", effect="Allow", **more):
    return json.dumps({"Version": "2012-10-17",
                       "Statement": [{"Effect": effect, "Action": action, "Resource": resource, **more}]})

def trust(principal, action="sts:AssumeRole", **more):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": action, "Principal": {"AWS": principal}, **more}]})

def denied(principal, action, resource, why=None):
    why = why or f"because no identity-based policy allows the {action} action"
    return f"User: {principal} is not authorized to perform: {action} on resource: {resource} {why}"
