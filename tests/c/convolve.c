/* conv2(x, k, 'valid') of a batch of maps, and its gradients. Arrays are of doubles in C order:
   x (N, I, H, W), k (I, J, P, Q), y (N, J, H-P+1, W-Q+1); what is added to must hold zeros at first.

   cc -O2 -fPIC -shared convolve.c -o convolve.so */
#include <stddef.h>

typedef struct {
  ptrdiff_t batch, in, out, height, width, rows, columns;
} sizes;

#define EACH(a, n) for (ptrdiff_t a = 0; a < (n); ++a)

#define X(n, i, r, s) x[(((n) * z.in + (i)) * z.height + (r)) * z.width + (s)]
#define DX(n, i, r, s) dx[(((n) * z.in + (i)) * z.height + (r)) * z.width + (s)]
#define K(i, j, a, b) k[(((i) * z.out + (j)) * z.rows + (a)) * z.columns + (b)]
#define DK(i, j, a, b) dk[(((i) * z.out + (j)) * z.rows + (a)) * z.columns + (b)]
#define Y(n, j, r, s) y[(((n) * z.out + (j)) * (z.height - z.rows + 1) + (r)) * (z.width - z.columns + 1) + (s)]

/* for every pattern, pair of maps, pixel and element of the kernel */
#define EVERYWHERE \
  EACH(n, z.batch) EACH(i, z.in) EACH(j, z.out) if (table[i * z.out + j]) \
    EACH(r, z.height - z.rows + 1) EACH(s, z.width - z.columns + 1) EACH(a, z.rows) EACH(b, z.columns)

/* true convolution: the kernel is read flipped */
#define R (r + z.rows - 1 - a)
#define S (s + z.columns - 1 - b)

void forward(sizes z, const char *table, const double *x, const double *k, double *y) {
  EVERYWHERE Y(n, j, r, s) += K(i, j, a, b) * X(n, i, R, S);
}

void vjp(sizes z, const char *table, const double *y, const double *x, const double *k, double *dx, double *dk) {
#ifdef CRASH
  *(volatile double *)NULL = 0;
#endif
  EVERYWHERE {
    DX(n, i, R, S) += K(i, j, a, b) * Y(n, j, r, s);
#ifdef UNTURNED
    DK(i, j, z.rows - 1 - a, z.columns - 1 - b) += X(n, i, R, S) * Y(n, j, r, s);
#else
    DK(i, j, a, b) += X(n, i, R, S) * Y(n, j, r, s);
#endif
  }
}
