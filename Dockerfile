# Builds offline of everything but the package index; runs as a user without rights.
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY fogbank fogbank
COPY gateway gateway
COPY services services
COPY functions functions
COPY storage storage
RUN pip install --no-cache-dir --prefix=/install . boto3

FROM python:3.12-slim
COPY --from=build /install /usr/local
RUN useradd --uid 10001 --create-home fogbank \
    && install -d -o fogbank -g fogbank -m 0700 /var/lib/fogbank /var/lib/fogbank-key
USER fogbank
# The master key lies beside the data in its own volume, never inside the data directory.
ENV FOGBANK_HOST=0.0.0.0 \
    FOGBANK_ALLOW_REMOTE_OPEN=1 \
    FOGBANK_DATA_DIR=/var/lib/fogbank \
    FOGBANK_KEY_FILE=/var/lib/fogbank-key/master.key
VOLUME ["/var/lib/fogbank", "/var/lib/fogbank-key"]
EXPOSE 4566
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s CMD \
    ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:4566/_fogbank/health')"]
ENTRYPOINT ["fogbank"]
CMD ["up"]
