# Stage one builds the wheel, with the player page's hls.js packed in; stage two installs it and nothing else.
# tests/peers/test_package.py runs the `python -m pip` lines in clean virtual environments.

FROM python:3.11-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends make npm
WORKDIR /src
COPY . .
RUN make vendor
RUN python -m pip wheel --no-deps --wheel-dir /dist .

FROM python:3.11-slim
COPY --from=build /dist /dist
COPY constraints.txt /dist/
RUN python -m pip install --no-cache-dir --constraint /dist/constraints.txt /dist/headwater-*.whl && rm -r /dist
RUN useradd --system --create-home --home-dir /var/lib/headwater headwater && mkdir /etc/headwater
# /etc/headwater/headwater.toml is read when it is mounted; HEADWATER_... variables work without it. In here loopback is
# nobody's, so encoders reach the RTMP and SRT listeners only when publish keys are configured.
WORKDIR /etc/headwater
ENV HEADWATER_STATE__DIR=/var/lib/headwater
VOLUME /var/lib/headwater
USER headwater
EXPOSE 8080 1935 1936 8890/udp
STOPSIGNAL SIGTERM
# Asks both roles; for a container with one role: --health-cmd "python -m headwater.config.health edge".
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["python", "-m", "headwater.config.health"]
ENTRYPOINT ["headwater"]
CMD ["up"]
