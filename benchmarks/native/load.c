/* A closed loop of clients: each sends the same request again when it has its answer.
 *
 *   load PORT REQUEST CLIENTS SECONDS COUNT NEW
 *
 * REQUEST is a file with the bytes to send. COUNT > 0 ends after that many answers
 * (SECONDS is then a time limit), NEW = 1 opens a connection for each request.
 * Prints one JSON object; times in milliseconds. An answer that is not 2xx, or
 * is cut short, is an error.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
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

enum state { HEAD, LENGTH, SIZE, DATA, DATA_END, TRAILER, TO_CLOSE };

struct client {
	int fd;
	size_t sent;
	enum state state;
	char head[16384];
	size_t head_len;
	uint64_t left;
	char line[64];
	int line_len, ok, close_after, got_body;
	int64_t started;
};

static struct client *clients;
static char *request;
static size_t request_len;
static int ep, port, fresh, n_clients;
static long done, errors, started, count, first_bad;
static uint64_t bytes;
static double *total_ms, *first_ms;
static long n_total, n_first, cap;
static int64_t deadline;

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void record(double *into, long *n, int64_t since)
{
	if (*n < cap)
		into[(*n)++] = (now_ns() - since) / 1e6;
}

static void watch(struct client *c, int op, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = c};
	epoll_ctl(ep, op, c->fd, &e);
}

static void hang_up(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static void push(struct client *c)
{
	ssize_t n = send(c->fd, request + c->sent, request_len - c->sent, MSG_NOSIGNAL);
	if (n > 0)
		c->sent += n;
	watch(c, EPOLL_CTL_MOD, c->sent < request_len ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void begin(struct client *c)
{
	if ((count && started >= count) || now_ns() >= deadline) {
		hang_up(c);
		return;
	}
	started++;
	c->sent = c->head_len = c->got_body = 0;
	c->state = HEAD;
	c->started = now_ns();
	if (c->fd >= 0) {
		push(c);
		return;
	}
	int one = 1;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	watch(c, EPOLL_CTL_ADD, EPOLLOUT | EPOLLIN);
	connect(c->fd, (struct sockaddr *)&a, sizeof a);
}

static void failed(struct client *c)
{
	errors++;
	hang_up(c);
	if (errors > 2000) {
		deadline = 0;
		return;
	}
	begin(c);
}

static void finished(struct client *c)
{
	record(total_ms, &n_total, c->started);
	done++;
	if (!c->ok)
		errors++;
	if (fresh || c->close_after)
		hang_up(c);
	begin(c);
}

/* Reads the head that ends at head[head_len]; sets what follows. */
static int head(struct client *c)
{
	int status = atoi(c->head + 9), chunked = 0;
	long length = -1;
	c->ok = status >= 200 && status < 300;
	if (!c->ok && !first_bad)
		first_bad = status;
	c->close_after = !strncmp(c->head, "HTTP/1.0", 8);
	for (char *p = strstr(c->head, "\r\n"); p && p[2] != '\r'; p = strstr(p + 2, "\r\n")) {
		if (!strncasecmp(p + 2, "content-length:", 15))
			length = atol(p + 17);
		else if (!strncasecmp(p + 2, "transfer-encoding:", 18))
			chunked = 1;
		else if (!strncasecmp(p + 2, "connection: close", 17))
			c->close_after = 1;
	}
	if (chunked) {
		c->state = SIZE;
		c->line_len = 0;
	} else if (length >= 0) {
		c->left = length;
		c->state = LENGTH;
	} else {
		c->state = TO_CLOSE;
	}
	return c->state == LENGTH && !c->left;
}

static void body(struct client *c)
{
	if (!c->got_body) {
		c->got_body = 1;
		record(first_ms, &n_first, c->started);
	}
}

/* 1: the answer is complete. */
static int take(struct client *c, const char *p, size_t n)
{
	const char *end = p + n;
	while (p < end) {
		size_t here = end - p;
		switch (c->state) {
		case HEAD: {
			size_t room = sizeof c->head - 1 - c->head_len, add = here < room ? here : room;
			size_t before = c->head_len;
			memcpy(c->head + c->head_len, p, add);
			c->head_len += add;
			c->head[c->head_len] = 0;
			char *eoh = strstr(c->head, "\r\n\r\n");
			if (!eoh)
				return 0;
			p += eoh + 4 - c->head - before;
			eoh[4] = 0;
			if (head(c))
				return 1;
			break;
		}
		case LENGTH:
		case DATA:
			body(c);
			if (here > c->left)
				here = c->left;
			p += here;
			c->left -= here;
			if (!c->left) {
				if (c->state == LENGTH)
					return 1;
				c->state = DATA_END;
				c->left = 2;
			}
			break;
		case DATA_END:
			p++;
			if (!--c->left) {
				c->state = SIZE;
				c->line_len = 0;
			}
			break;
		case SIZE:
		case TRAILER:
			if (*p != '\n') {
				if (c->line_len < 63)
					c->line[c->line_len++] = *p;
				p++;
				break;
			}
			p++;
			c->line[c->line_len] = 0;
			if (c->state == TRAILER) {
				if (c->line_len <= 1)
					return 1;
			} else {
				c->left = strtoull(c->line, NULL, 16);
				c->state = c->left ? DATA : TRAILER;
			}
			c->line_len = 0;
			break;
		case TO_CLOSE:
			body(c);
			return 0;
		}
	}
	return 0;
}

static void readable(struct client *c)
{
	static char buf[262144];
	ssize_t n = recv(c->fd, buf, sizeof buf, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		if (n == 0 && c->state == TO_CLOSE) {
			c->close_after = 1;
			finished(c);
		} else {
			failed(c);
		}
		return;
	}
	bytes += n;
	if (take(c, buf, n))
		finished(c);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static double quantile(double *v, long n, double q)
{
	return n ? v[(long)(q * (n - 1) + 0.5)] : 0;
}

int main(int argc, char **argv)
{
	if (argc != 7) {
		fprintf(stderr, "load PORT REQUEST CLIENTS SECONDS COUNT NEW\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	port = atoi(argv[1]);
	FILE *f = fopen(argv[2], "rb");
	if (!f) {
		perror(argv[2]);
		return 2;
	}
	fseek(f, 0, SEEK_END);
	request_len = ftell(f);
	rewind(f);
	request = malloc(request_len);
	if (fread(request, 1, request_len, f) != request_len)
		return 2;
	n_clients = atoi(argv[3]);
	count = atol(argv[5]);
	fresh = atoi(argv[6]);
	cap = count > 1000000 ? count : 1000000;
	total_ms = malloc(cap * sizeof *total_ms);
	first_ms = malloc(cap * sizeof *first_ms);
	clients = calloc(n_clients, sizeof *clients);
	ep = epoll_create1(0);
	int64_t begun = now_ns();
	int64_t patience = 5000000000;	/* for what is on its way when time is up */
	deadline = begun + (int64_t)(atof(argv[4]) * 1e9);
	for (int i = 0; i < n_clients; i++) {
		clients[i].fd = -1;
		begin(&clients[i]);
	}
	struct epoll_event got[256];
	int64_t ended = begun;
	for (;;) {
		int open = 0;
		for (int i = 0; i < n_clients && !open; i++)
			open = clients[i].fd >= 0;
		if (!open || now_ns() > deadline + patience)
			break;
		int n = epoll_wait(ep, got, 256, 100);
		for (int i = 0; i < n; i++) {
			struct client *c = got[i].data.ptr;
			if (c->fd < 0)
				continue;
			if (got[i].events & (EPOLLERR | EPOLLHUP) && !(got[i].events & EPOLLIN)) {
				failed(c);
				continue;
			}
			if (got[i].events & EPOLLOUT)
				push(c);
			if (c->fd >= 0 && got[i].events & EPOLLIN)
				readable(c);
		}
		if (n > 0)
			ended = now_ns();
	}
	for (int i = 0; i < n_clients; i++)
		if (clients[i].fd >= 0)
			errors++;
	qsort(total_ms, n_total, sizeof *total_ms, by_value);
	qsort(first_ms, n_first, sizeof *first_ms, by_value);
	printf("{\"requests\": %ld, \"errors\": %ld, \"status\": %ld, \"seconds\": %.4f, \"bytes\": %llu, "
	       "\"p50\": %.4f, \"p99\": %.4f, \"first_p50\": %.4f, \"first_p99\": %.4f}\n",
	       done, errors, first_bad, (ended - begun) / 1e9, (unsigned long long)bytes,
	       quantile(total_ms, n_total, .5), quantile(total_ms, n_total, .99),
	       quantile(first_ms, n_first, .5), quantile(first_ms, n_first, .99));
	return 0;
}
