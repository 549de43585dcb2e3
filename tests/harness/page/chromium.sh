#!/bin/sh
# Starts Chromium so that it dies with the program that started it, however that ends; in a namespace if one is named.
exec setpriv --pdeathsig KILL -- ${BECKON_TEST_NAMESPACE:+ip netns exec "$BECKON_TEST_NAMESPACE"} chromium "$@" 2>/dev/null
