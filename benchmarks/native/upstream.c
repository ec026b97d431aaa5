/* A provider that costs nothing: one thread, epoll, no allocation per request.
 *
 *   upstream PORT          prints the port it listens on (0 = any free one)
 *
 * What it answers is in the name of the model that it is asked for:
 *
 *   bench-plain                     a chat completion of about 400 bytes
 *   bench-down-BYTES                a chat completion with BYTES of content
 *   bench-stream-CHUNKS-MICROSECS   CHUNKS events, one every MICROSECS
 *   bench-after-MICROSECS           as bench-plain, but not before so much time has passed
 *   bench-400                       400, the prompt does not fit its context window
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_FDS 65536

struct conn {
	int fd;
	char *in;
	size_t in_len, in_cap;
	char *out;			/* what the socket did not take yet */
	size_t out_len, out_off, out_cap;
	int chunks_left, chunks, usage;	/* of the stream that runs, if any */
	int64_t interval, due;		/* nanoseconds */
	int stream_slot;
	int waits;			/* a plain answer that is not due yet */
	int close_after;
};

static struct conn *conns[MAX_FDS];
static struct conn *streams[MAX_FDS];
static int n_streams, ep;

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void stop_stream(struct conn *c)
{
	if (c->stream_slot < 0)
		return;
	streams[c->stream_slot] = streams[--n_streams];
	streams[c->stream_slot]->stream_slot = c->stream_slot;
	c->stream_slot = -1;
}

static void drop(struct conn *c)
{
	stop_stream(c);
	conns[c->fd] = NULL;
	close(c->fd);
	free(c->in);
	free(c->out);
	free(c);
}

static void watch(struct conn *c, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.fd = c->fd};
	epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}

/* Returns -1 when the connection is gone. */
static int put(struct conn *c, const char *data, size_t len)
{
	if (c->out_len == c->out_off) {
		ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN) {
			drop(c);
			return -1;
		}
		if (n < 0)
			n = 0;
		data += n;
		len -= n;
		c->out_len = c->out_off = 0;
	}
	if (!len)
		return 0;
	if (c->out_len + len > c->out_cap) {
		c->out_cap = (c->out_len + len) * 2;
		c->out = realloc(c->out, c->out_cap);
	}
	memcpy(c->out + c->out_len, data, len);
	c->out_len += len;
	watch(c, EPOLLIN | EPOLLOUT);
	return 0;
}

static const char PLAIN[] =
	"{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1700000000,"
	"\"model\":\"bench-plain\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
	"\"content\":\"The quick brown fox jumps over the lazy dog, and then it rests a while "
	"in the shade of an old tree.\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":12,"
	"\"completion_tokens\":24,\"total_tokens\":36}}";
static const char TOO_LONG[] =
	"{\"error\":{\"message\":\"This model's maximum context length is 8192 tokens.\","
	"\"type\":\"invalid_request_error\",\"code\":\"context_length_exceeded\"}}";

static int answer(struct conn *c, const char *status, const char *extra, const char *body, size_t len)
{
	char head[512];
	int n = snprintf(head, sizeof head,
			 "HTTP/1.1 %s\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n",
			 status, extra, len);
	if (len < 4096) {
		char all[8192];
		memcpy(all, head, n);
		memcpy(all + n, body, len);
		return put(c, all, n + len);
	}
	if (put(c, head, n) < 0)
		return -1;
	return put(c, body, len);
}

static int answer_down(struct conn *c, size_t size)
{
	static const char before[] =
		"{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1700000000,"
		"\"model\":\"bench-down\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"";
	static const char after[] =
		"\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":12,"
		"\"completion_tokens\":24,\"total_tokens\":36}}";
	size_t len = sizeof before - 1 + size + sizeof after - 1;
	char *body = malloc(len);
	memcpy(body, before, sizeof before - 1);
	for (size_t i = 0; i < size; i++)
		body[sizeof before - 1 + i] = i % 6 == 5 ? ' ' : 'a' + i % 26;
	memcpy(body + sizeof before - 1 + size, after, sizeof after - 1);
	int r = answer(c, "200 OK", "", body, len);
	free(body);
	return r;
}

static int event(struct conn *c, const char *data)
{
	char chunk[1024];
	size_t len = strlen(data) + 8;
	int n = snprintf(chunk, sizeof chunk, "%zx\r\ndata: %s\n\n\r\n", len, data);
	return put(c, chunk, n);
}

static int next_event(struct conn *c)
{
	if (c->waits) {
		c->waits = 0;
		stop_stream(c);
		return answer(c, "200 OK", "", PLAIN, sizeof PLAIN - 1);
	}
	if (c->chunks_left-- > 0) {
		char data[512];
		snprintf(data, sizeof data,
			 "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
			 "\"model\":\"bench-stream\",\"choices\":[{\"index\":0,\"delta\":{%s\"content\":\" token\"},"
			 "\"finish_reason\":null}]}",
			 c->chunks_left == c->chunks - 1 ? "\"role\":\"assistant\"," : "");
		c->due += c->interval;
		return event(c, data);
	}
	if (event(c, "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
		     "\"model\":\"bench-stream\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}") < 0)
		return -1;
	if (c->usage) {
		char data[512];
		snprintf(data, sizeof data,
			 "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
			 "\"model\":\"bench-stream\",\"choices\":[],\"usage\":{\"prompt_tokens\":12,"
			 "\"completion_tokens\":%d,\"total_tokens\":%d}}", c->chunks, c->chunks + 12);
		if (event(c, data) < 0)
			return -1;
	}
	if (event(c, "[DONE]") < 0)
		return -1;
	stop_stream(c);
	return put(c, "0\r\n\r\n", 5);
}

static int start_stream(struct conn *c, int chunks, int64_t interval, int usage)
{
	static const char head[] =
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
		"Transfer-Encoding: chunked\r\n\r\n";
	c->chunks = c->chunks_left = chunks;
	c->interval = interval;
	c->usage = usage;
	c->due = now_ns();
	c->stream_slot = n_streams;
	streams[n_streams++] = c;
	if (put(c, head, sizeof head - 1) < 0)
		return -1;
	return next_event(c);
}

static int answer_after(struct conn *c, int64_t nanoseconds)
{
	c->waits = 1;
	c->due = now_ns() + nanoseconds;
	c->stream_slot = n_streams;
	streams[n_streams++] = c;
	return 0;
}

static int respond(struct conn *c, const char *body, size_t len)
{
	const char *m = memmem(body, len, "\"bench-", 7);
	if (!m)
		return answer(c, "200 OK", "", PLAIN, sizeof PLAIN - 1);
	m += 7;
	char name[64] = {0};
	size_t left = body + len - m;
	memcpy(name, m, left < sizeof name - 1 ? left : sizeof name - 1);
	if (!strncmp(name, "down-", 5))
		return answer_down(c, strtoul(name + 5, NULL, 10));
	if (!strncmp(name, "after-", 6))
		return answer_after(c, strtoll(name + 6, NULL, 10) * 1000);
	if (!strncmp(name, "400", 3))
		return answer(c, "400 Bad Request", "", TOO_LONG, sizeof TOO_LONG - 1);
	if (!strncmp(name, "stream-", 7)) {
		char *end;
		int chunks = strtol(name + 7, &end, 10);
		int64_t interval = *end == '-' ? strtoll(end + 1, NULL, 10) * 1000 : 0;
		return start_stream(c, chunks, interval, memmem(body, len, "\"include_usage\"", 15) != NULL);
	}
	return answer(c, "200 OK", "", PLAIN, sizeof PLAIN - 1);
}

/* The value of a header, or NULL. The head ends with an empty line. */
static const char *header(const char *head, size_t len, const char *name)
{
	size_t n = strlen(name);
	for (const char *p = head, *end = head + len; p < end;) {
		const char *eol = memchr(p, '\n', end - p);
		if (!eol)
			return NULL;
		p = eol + 1;
		if ((size_t)(end - p) > n && !strncasecmp(p, name, n) && p[n] == ':') {
			p += n + 1;
			while (*p == ' ')
				p++;
			return p;
		}
	}
	return NULL;
}

/* Where the chunked body that starts at `p` ends, or NULL while it is incomplete. */
static const char *end_of_chunks(const char *p, const char *end)
{
	for (;;) {
		const char *eol = memmem(p, end - p, "\r\n", 2);
		if (!eol)
			return NULL;
		size_t size = strtoul(p, NULL, 16);
		p = eol + 2;
		if ((size_t)(end - p) < size + 2)
			return NULL;
		p += size + 2;
		if (!size)
			return p;
	}
}

static int parse(struct conn *c)
{
	while (c->in_len && c->stream_slot < 0) {
		char *eoh = memmem(c->in, c->in_len, "\r\n\r\n", 4);
		if (!eoh)
			return 0;
		size_t head = eoh + 4 - c->in, body, total;
		const char *v = header(c->in, head, "content-length");
		if (v) {
			body = strtoul(v, NULL, 10);
			total = head + body;
			if (c->in_len < total)
				return 0;
		} else if (header(c->in, head, "transfer-encoding")) {
			const char *end = end_of_chunks(c->in + head, c->in + c->in_len);
			if (!end)
				return 0;
			total = end - c->in;
			body = total - head;
		} else {
			body = 0;
			total = head;
		}
		v = header(c->in, head, "connection");
		if (v && !strncasecmp(v, "close", 5))
			c->close_after = 1;
		if (respond(c, c->in + head, body) < 0)
			return -1;
		memmove(c->in, c->in + total, c->in_len - total);
		c->in_len -= total;
	}
	return 0;
}

static void readable(struct conn *c)
{
	for (;;) {
		if (c->in_cap - c->in_len < 65536) {
			c->in_cap = c->in_cap ? c->in_cap * 2 : 131072;
			c->in = realloc(c->in, c->in_cap);
		}
		ssize_t n = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			drop(c);
			return;
		}
		if (n < 0)
			break;
		c->in_len += n;
		if (c->in_len < c->in_cap)
			break;
	}
	if (parse(c) < 0)
		return;
	if (c->close_after && c->stream_slot < 0 && c->out_len == c->out_off)
		drop(c);
}

static void writable(struct conn *c)
{
	ssize_t n = send(c->fd, c->out + c->out_off, c->out_len - c->out_off, MSG_NOSIGNAL);
	if (n < 0) {
		if (errno != EAGAIN)
			drop(c);
		return;
	}
	c->out_off += n;
	if (c->out_off == c->out_len) {
		watch(c, EPOLLIN);
		if (c->close_after && c->stream_slot < 0)
			drop(c);
	}
}

static int run_streams(void)
{
	int64_t now = now_ns(), next = INT64_MAX;
	for (int i = n_streams - 1; i >= 0; i--) {
		struct conn *c = streams[i];
		while (c->due <= now && c->stream_slot >= 0)
			if (next_event(c) < 0)
				goto gone;
		if (c->stream_slot < 0) {
			if (c->close_after && c->out_len == c->out_off)
				drop(c);
			else if (parse(c) < 0)
				continue;
		} else if (c->due < next) {
			next = c->due;
		}
gone:;
	}
	if (!n_streams)
		return -1;
	if (next == INT64_MAX)
		return 0;
	int64_t wait = (next - now_ns() + 999999) / 1000000;
	return wait < 0 ? 0 : wait;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	int one = 1, s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0)};
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(s, (struct sockaddr *)&a, sizeof a) || listen(s, 4096)) {
		perror("upstream");
		return 1;
	}
	socklen_t len = sizeof a;
	getsockname(s, (struct sockaddr *)&a, &len);
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	ep = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLIN, .data.fd = s}, got[256];
	epoll_ctl(ep, EPOLL_CTL_ADD, s, &e);
	for (;;) {
		int n = epoll_wait(ep, got, 256, run_streams());
		for (int i = 0; i < n; i++) {
			int fd = got[i].data.fd;
			if (fd == s) {
				while ((fd = accept4(s, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
					if (fd >= MAX_FDS) {
						close(fd);
						continue;
					}
					setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
					struct conn *c = calloc(1, sizeof *c);
					c->fd = fd;
					c->stream_slot = -1;
					conns[fd] = c;
					struct epoll_event ce = {.events = EPOLLIN, .data.fd = fd};
					epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ce);
				}
				continue;
			}
			if (conns[fd] && got[i].events & EPOLLOUT)
				writable(conns[fd]);
			if (conns[fd] && got[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				readable(conns[fd]);
		}
	}
}
