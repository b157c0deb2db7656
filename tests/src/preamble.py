import json, os, sys
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
args = json.loads(sys.argv[1])
sm = boto3.client("secretsmanager", endpoint_url=os.environ["AWS_ENDPOINT_URL"],
                  config=Config(retries={"total_max_attempts": 1}))
def refused(call, **parameters):
    try:
        answer = call(**parameters)
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400, error.response
        assert error.response["ResponseMetadata"].get("RequestId"), error.response
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError(f"{call.__name__} {parameters} succeeded: {answer}")
