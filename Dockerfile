# syntax=docker/dockerfile:1

# The service without the embedded servers: DATABASE_URL and NATS_URL name the real ones (see docker-compose.yml).
# Node 24 runs TypeScript by leaving the types out, so nothing is compiled.

FROM node:24.21-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Optional: PostgreSQL's programs, 100 MB. Scripts: they fetch a second Node, which this image has already.
RUN --mount=type=cache,target=/npm-cache \
    npm ci --cache=/npm-cache --omit=dev --omit=optional --ignore-scripts

FROM node:24.21-bookworm-slim
ENV NODE_ENV=production \
    DATA_DIR=/data \
    LISTEN=0.0.0.0:50051 \
    METRICS_LISTEN=0.0.0.0:9464
# Owned by root and not writable for the service.
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE* ./
COPY proto ./proto
COPY generated ./generated
COPY src ./src
RUN install -d -o node -g node -m 0700 /data
# `docker build --build-arg COMMIT=$(git rev-parse HEAD)` shows it in the metric charge_build_info.
ARG COMMIT
ENV CHARGE_COMMIT=$COMMIT
USER node
EXPOSE 50051 9464
# Node itself gets the signal: npm or a shell in between would swallow it and cut the drain short.
STOPSIGNAL SIGTERM
# With TLS, the certificate is for the name that clients use, and not for 127.0.0.1.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "require(process.env.TLS_CERT_FILE ? 'https' : 'http').get({ host: '127.0.0.1', port: 9464, path: '/readyz', rejectUnauthorized: false, signal: AbortSignal.timeout(2500) }, (r) => process.exit(r.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
CMD ["node", "src/main.ts"]
