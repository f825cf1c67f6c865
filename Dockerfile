# The suite on a CPU; without arguments it runs the main job on the built-in simulated sample.
#   docker build -t gazebench . && docker run --rm -v "$PWD/runs:/gazebench/runs" gazebench
FROM python:3.11-slim
WORKDIR /gazebench
RUN apt-get update && apt-get install --yes --no-install-recommends make && rm -rf /var/lib/apt/lists/*
COPY . .
RUN make .venv/.installed
ENTRYPOINT ["/gazebench/.venv/bin/python", "-m", "benchmark"]
CMD ["run", "--task", "recgaze"]
