# For t/image/systemd.t: a machine that systemd has started, with Debian's nginx and its unit.
FROM localhost/nginx
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends systemd
CMD ["/lib/systemd/systemd"]
