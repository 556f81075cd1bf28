# The first process of a container gets no default signal handlers: end when asked to.
echo "${GREETING:-Hello}" > /tmp/index.html
busybox httpd -f -p 8080 -h /tmp &
trap 'kill $!; exit 0' TERM INT
echo "greeting with: ${GREETING:-Hello}"
wait $!
