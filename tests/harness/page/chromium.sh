#!/bin/sh
# Starts Chromium so that it dies with the program that started it, however that ends.
exec setpriv --pdeathsig KILL -- chromium "$@" 2>/dev/null
