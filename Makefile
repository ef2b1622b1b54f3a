# Short names for the commands of a class; `./labctl --help` shows all of them.
PYTHON ?= python3
LABCTL = $(PYTHON) labctl.py
N ?= 3

.PHONY: help up down status logs scale-consumer demo test clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

up: ## start the stack
	$(LABCTL) up

down: ## stop it; data stays
	$(LABCTL) down

status: ## services, queues and jobs
	$(LABCTL) status

logs: ## follow what the programs say
	$(LABCTL) logs --follow

scale-consumer: ## run N workers: make scale-consumer N=5
	$(LABCTL) scale worker=$(N)

demo: ## 60 jobs and a table of what happened
	$(LABCTL) demo

test: ## linter, types and all tests
	$(LABCTL) test

clean: ## stop the stack and remove its data
	$(LABCTL) down --delete-data
