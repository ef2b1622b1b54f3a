"""A consumer that loses nothing when it is killed: it acknowledges each message after the work.

It is started with the name of a queue, and finds the broker's address in LAB_AMQP_URL. For each message that
it has done it prints `done N`: this is how the kit counts.
"""

import json
import os
import sys
import time

import pika


def work(seconds):
    """Do what has to be done for a message."""
    time.sleep(seconds)


def main():
    """Take messages from the queue for ever."""
    queue = sys.argv[1]
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["LAB_AMQP_URL"]))
    channel = connection.channel()

    def on_message(channel, method, properties, body):
        message = json.loads(body)
        work(message["work_s"])
        print(f"done {message['number']}", flush=True)
        channel.basic_ack(delivery_tag=method.delivery_tag)

    # One message at a time: what is not in this program's hands can go to another consumer.
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume(queue, on_message)
    channel.start_consuming()


if __name__ == "__main__":
    main()
