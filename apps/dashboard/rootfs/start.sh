# The first process of a container gets no default signal handlers: end when asked to.
busybox httpd -f -p 8080 -h /www &
trap 'kill $!; exit 0' TERM INT
echo "listening on port 8080"
wait $!
