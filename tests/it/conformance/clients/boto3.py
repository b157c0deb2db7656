"""Calls Secrets Manager as each line of standard input asks, and answers on a line of standard output."""
import base64
import datetime
import json
import os
import sys

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

# What botocore would refuse by itself must reach the server.
CONFIG = Config(parameter_validation=False, retries={"total_max_attempts": 1})
session = boto3.Session()
clients = {}


def client(region):
    if region not in clients:
        clients[region] = session.client("secretsmanager", region_name=region, config=CONFIG,
                                         endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    return clients[region]


def sent(value):
    if isinstance(value, dict):
        return {key: base64.b64decode(item) if key == "SecretBinary" and isinstance(item, str) else sent(item)
                for key, item in value.items()}
    return [sent(item) for item in value] if isinstance(value, list) else value


def received(value):
    if isinstance(value, dict):
        return {key: received(item) for key, item in value.items() if key != "ResponseMetadata"}
    if isinstance(value, list):
        return [received(item) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.timestamp() if isinstance(value, datetime.datetime) else value


def call(ask):
    sm = client(ask["region"])
    if ask["operation"] not in sm.meta.service_model.operation_names:
        return {"unsayable": "the operation " + ask["operation"]}
    known = sm.meta.service_model.operation_model(ask["operation"]).input_shape.members
    unknown = sorted(set(ask["input"]) - set(known))
    if unknown:
        return {"unsayable": "the field " + unknown[0]}
    try:
        return {"answer": received(getattr(sm, xform_name(ask["operation"]))(**sent(ask["input"])))}
    except ClientError as error:
        return {"code": error.response["Error"]["Code"], "message": error.response["Error"]["Message"],
                "status": error.response["ResponseMetadata"]["HTTPStatusCode"]}


def model():
    service = client("us-east-1").meta.service_model
    return {name: sorted(shape.name for shape in service.operation_model(name).error_shapes)
            for name in service.operation_names}


for line in sys.stdin:
    ask = json.loads(line)
    print(json.dumps(model() if "model" in ask else call(ask)), flush=True)
