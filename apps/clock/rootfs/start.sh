# Two containers are made of this image: `time` tells it, `main` shows it.
# The first process of a container gets no default signal handlers: end when asked to.
case "${ROLE:-main}" in
  time) busybox nc -ll -p 9000 -e busybox date -u & ;;
  main) busybox httpd -f -p 8080 -h /www & ;;
esac
trap 'kill $!; exit 0' TERM INT
echo "serving as ${ROLE:-main}"
wait $!
