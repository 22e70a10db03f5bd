# Two stages: the first has a compiler, because the ciphers of ssh2 are native code; the second only what runs.
# Any base with Node >= 20.19 will do: --build-arg NODE_IMAGE=... --build-arg BUILD_IMAGE=... (the same Node in both).
# Not a later 24: what those compile aborts any Node 24 (https://github.com/nodejs/node/issues/65446), which can run what 24.18 compiles.
ARG BUILD_IMAGE=node:24.18-bookworm
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${BUILD_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
# The headers of the Node that will run it are beside it, so nothing but packages is fetched. Without the native ciphers
# the program would work, at a third more CPU: for an image that is a failed build, not a warning.
RUN npm ci --ignore-scripts --no-audit --no-fund \
 && npm_config_nodedir="$(node -p 'require("node:path").resolve(process.execPath, "../..")')" \
    CI_CHECK_FAIL=ssh2 npm rebuild ssh2 \
 && rm -rf node_modules/ssh2/lib/protocol/crypto/build/Release/obj.target
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY src src
RUN npm run build && chmod +x dist/main.js && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="lazyssh" \
      org.opencontainers.image.description="An SSH jump host that starts a machine when someone connects through it" \
      org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production
# What must survive a restart: which machines were started. The user is "node" of the official images, by number so
# that an orchestrator can see it is not root; its home, /home/node, is where AWS credentials are looked for.
ENV STATE_DIRECTORY=/var/lib/lazyssh
RUN ln -s /app/dist/main.js /usr/local/bin/lazyssh && mkdir -m 700 /var/lib/lazyssh && chown 1000:1000 /var/lib/lazyssh
COPY package.json LICENSE /app/
COPY --from=build /build/node_modules /app/node_modules
COPY --from=build /build/dist /app/dist
USER 1000:1000
WORKDIR /home/node
VOLUME /var/lib/lazyssh
EXPOSE 7922
# Node is process 1 and gets SIGTERM itself: it stops every machine before it ends, so give it time (docker stop -t 600).
ENTRYPOINT ["lazyssh"]
CMD ["-config", "/config.hcl"]
