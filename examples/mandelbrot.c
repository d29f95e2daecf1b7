/* mandelbrot.c - a picture of the Mandelbrot set, one task a row of pixels.
 *
 * Rows cost very different times: a pixel inside the set takes all `iterations`, one far outside a
 * handful. There is no merge: the rows are collected in order, and finish makes a PNG of them.
 * Each result starts with its row's number, so that a row whose task failed is left black. */
#include <sheaf.h>

#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 2, CHANNELS = 3 }; /* samples a pixel, each way, against jagged edges */

struct view {
    uint32_t width;
    uint32_t height;
    int64_t iterations;
    double x; /* the middle of the picture */
    double y;
    double step; /* the side of a pixel */
};

static struct view view_of(struct sheaf_context *context)
{
    struct view view = {
        .width = (uint32_t)sheaf_parameter_integer(context, "width"),
        .height = (uint32_t)sheaf_task_count(context),
        .iterations = sheaf_parameter_integer(context, "iterations"),
        .x = sheaf_parameter_real(context, "x"),
        .y = sheaf_parameter_real(context, "y"),
    };
    view.step = sheaf_parameter_real(context, "span") / view.width;
    return view;
}

/* Steps of z -> z^2 + c until z has escaped, with a fraction that makes the colours run smoothly
 * (Linas Vepstas, "Renormalizing the Mandelbrot escape"); negative for a point inside. */
static double escape_time(double x, double y, int64_t iterations)
{
    double a = 0;
    double b = 0;

    for (int64_t i = 0; i < iterations; i++) {
        double squares = a * a + b * b;
        if (squares > 65536)
            return (double)i + 1 - log2(log2(squares) / 2);
        double a_before = a;
        a = a * a - b * b + x;
        b = 2 * a_before * b + y;
    }
    return -1;
}

static void add_colour(double time, double colour[CHANNELS])
{
    static const double phase[CHANNELS] = {0.62, 0.52, 0.38};
    if (time < 0)
        return;

    double turn = 0.45 * log2(time + 1);
    for (size_t i = 0; i < CHANNELS; i++)
        colour[i] += 0.5 - 0.5 * cos(6.283185307179586 * (turn + phase[i]));
}

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    struct view view = view_of(context);
    uint32_t row = (uint32_t)task->index;
    unsigned char *pixels = malloc((size_t)view.width * CHANNELS);

    if (pixels == NULL)
        return sheaf_fail(context, "no memory for a row of %u pixels", view.width);
    for (uint32_t column = 0; column < view.width; column++) {
        double colour[CHANNELS] = {0};
        for (int sample = 0; sample < SAMPLES * SAMPLES; sample++) {
            double right = column + (sample % SAMPLES + 0.5) / SAMPLES - view.width / 2.0;
            double down = row + (sample / SAMPLES + 0.5) / SAMPLES - view.height / 2.0;
            double x = view.x + right * view.step;
            double y = view.y - down * view.step;
            add_colour(escape_time(x, y, view.iterations), colour);
        }
        for (size_t i = 0; i < CHANNELS; i++) {
            double mean = colour[i] / (SAMPLES * SAMPLES);
            pixels[column * CHANNELS + i] = (unsigned char)lround(255 * mean);
        }
    }

    int status = sheaf_emit(context, &row, sizeof row);
    if (status == 0)
        status = sheaf_emit(context, pixels, (size_t)view.width * CHANNELS);
    free(pixels);
    return status;
}

static int emit_png(struct sheaf_context *context, png_image *image, const unsigned char *pixels)
{
    size_t size = PNG_IMAGE_PNG_SIZE_MAX(*image);
    unsigned char *png = malloc(size);
    if (png == NULL)
        return sheaf_fail(context, "no memory for a PNG of %zu bytes", size);

    int status = png_image_write_to_memory(image, png, &size, 0, pixels, 0, NULL)
                     ? sheaf_emit(context, png, size)
                     : sheaf_fail(context, "libpng: %s", image->message);
    free(png);
    return status;
}

static int finish(struct sheaf_context *context, struct sheaf_bytes result)
{
    struct view view = view_of(context);
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = view.width,
                       .height = view.height,
                       .format = PNG_FORMAT_RGB};
    size_t row_bytes = (size_t)view.width * CHANNELS;
    unsigned char *pixels = calloc(view.height, row_bytes);
    if (pixels == NULL)
        return sheaf_fail(context, "no memory for %u x %u pixels", view.width, view.height);

    const unsigned char *record = result.data;
    for (size_t left = result.size; left > 0; left -= sizeof(uint32_t) + row_bytes) {
        uint32_t row;
        memcpy(&row, record, sizeof row);
        memcpy(pixels + row * row_bytes, record + sizeof row, row_bytes);
        record += sizeof row + row_bytes;
    }

    int status = emit_png(context, &image, pixels);
    free(pixels);
    return status;
}

SHEAF_PLUGIN(.run = run, .finish = finish)
