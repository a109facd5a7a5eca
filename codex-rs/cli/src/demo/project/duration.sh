#!/bin/sh
# Prints a number of seconds the way people say it.
seconds=$1
echo "${seconds}s"
