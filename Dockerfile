# syntax=docker/dockerfile:1
# The server and its sample portals. Nothing is compiled: Node runs the TypeScript as it stands.

FROM node:24-bookworm AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# The base image brings Node itself, so the copy in node_modules is not needed here.
RUN npm ci --omit=dev --no-audit --no-fund && rm -rf node_modules/node node_modules/node-bin-* node_modules/.bin/node

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY config ./config
COPY views ./views
COPY src ./src
COPY examples ./examples
# The one folder the server writes to; the rest of the file system may be mounted read-only.
RUN install -d -o node -g node -m 0700 /var/lib/tongban
ENV TONGBAN_DATA_DIR=/var/lib/tongban
VOLUME /var/lib/tongban
USER node
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "src/main.js", "health"]
ENTRYPOINT ["node", "src/main.js"]
CMD ["serve"]
