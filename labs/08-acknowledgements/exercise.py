"""A consumer that loses messages when it is killed. Repair it.

It is started with the name of a queue, and finds the broker's address in LAB_AMQP_URL. For each message that
it has done it prints `done N`: this is how the kit counts, so leave that line as it is.
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

    # TODO: With auto_ack the broker forgets a message as soon as it has sent it.
    #   1. Let the broker send one message at a time:   channel.basic_qos(prefetch_count=1)
    #   2. Acknowledge each message yourself:           channel.basic_ack(delivery_tag=method.delivery_tag)
    #   3. At which place in on_message is nothing lost?
    channel.basic_consume(queue, on_message, auto_ack=True)
    channel.start_consuming()


if __name__ == "__main__":
    main()
