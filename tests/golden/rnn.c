
/*
 * rnn
 *
 * h = tanh(W.h @ x + b.h + U.h @ h)
 */
PRODUCT(4, 1, 4)
PRODUCT(4, 2, 4)
PRODUCT(4, 3, 4)
PRODUCT(4, 4, 4)
PRODUCT(4, 5, 4)
PRODUCT(4, 6, 4)
PRODUCT(4, 7, 2)
PRODUCT(4, 8, 2)
PRODUCT(4, 9, 2)
PRODUCT(4, 10, 2)
PRODUCT(4, 11, 2)
PRODUCT(4, 12, 2)
INLINE void products_4_12(int m, const factor *w, const factor *const *rows, int64_t K, vec *out) {
    switch (m) {
    case 12: product_4_12(w, rows, K, out); break;
    case 11: product_4_11(w, rows, K, out); break;
    case 10: product_4_10(w, rows, K, out); break;
    case 9: product_4_9(w, rows, K, out); break;
    case 8: product_4_8(w, rows, K, out); break;
    case 7: product_4_7(w, rows, K, out); break;
    case 6: product_4_6(w, rows, K, out); break;
    case 5: product_4_5(w, rows, K, out); break;
    case 4: product_4_4(w, rows, K, out); break;
    case 3: product_4_3(w, rows, K, out); break;
    case 2: product_4_2(w, rows, K, out); break;
    case 1: product_4_1(w, rows, K, out); break;
    }
}

static int64_t forward_bytes(const arguments *a, int64_t rows, int64_t members) {
    const int64_t n_input = a->size[0];
    const int64_t n_hidden = a->size[1];
    (void)n_input; (void)n_hidden;
    const int64_t listed = room_for(a->chunk * rows + 1, sizeof(row));
    const int64_t common = room(rows * n_hidden) + room(rows * n_hidden) + room(a->chunk * rows * n_hidden), own = 0;
    return common + members * (listed + own) + 64;
}

static void forward_share(arguments *restrict a, share s, int64_t piece, member *me, char *memory) {
    const int64_t rows = s.count;
    const int64_t n_input = a->size[0];
    const int64_t n_hidden = a->size[1];
    (void)n_input; (void)n_hidden;
    const real *restrict of_state_h = a->at[0];
    const int64_t of_state_h_b = a->stride[1];
    const real *restrict of_input_x = a->at[1];
    const int64_t of_input_x_t = a->stride[2], of_input_x_b = a->stride[3];
    const real *restrict of_parameter_b_h = a->at[2];
    real *restrict to_output = a->at[3];
    const int64_t to_output_t = a->stride[6], to_output_b = a->stride[7];
    real *restrict to_state_h = a->at[4];
    const int64_t to_state_h_b = a->stride[9];
    const factor *pack_0 = a->pack[0];
    const real *matrix_0_0 = a->at[5];
    const int64_t ld_0_0 = a->stride[10];
    const factor *pack_1 = a->pack[1];
    const real *matrix_1_0 = a->at[6];
    const int64_t ld_1_0 = a->stride[12];
    real *now_h = cut(&memory, rows * n_hidden);
    real *next_h = cut(&memory, rows * n_hidden);
    real *ahead_h_in = cut(&memory, a->chunk * rows * n_hidden);
    const int64_t listed = room_for(a->chunk * rows + 1, sizeof(row));
    memory += me->number * (listed + 0);
    row *all = (row *)memory;
    memory += listed;
    const span part_hidden_4 = part_of(me, n_hidden, 4 * LANES);
    (void)part_hidden_4;
    (void)memory, (void)piece, (void)rows;
    {
        const int64_t staying = running(a, s, 0), later = first_row(a, 0) + s.from;
        (void)later;
        if (!me->number) for (int64_t r = 0; r < s.count; r++) {
            const int64_t b = batch_row(a, s, r);
            memcpy((r < staying ? now_h + r * n_hidden : to_state_h + b * to_state_h_b), of_state_h + b * of_state_h_b, (size_t)n_hidden * sizeof(real));
        }
        meet(me);
    }
    if (!me->number && a->length) for (int64_t t = 0; t < a->T; t++) {
        for (int64_t r = running(a, s, t); r < s.count; r++) {
            const int64_t b = batch_row(a, s, r);
            memset(to_output + t * to_output_t + b * to_output_b, 0, (size_t)n_hidden * sizeof(real));
        }
    }
    for (int64_t t0 = 0; t0 < a->T; t0 += a->chunk) {
        const int64_t t1 = t0 + a->chunk < a->T ? t0 + a->chunk : a->T;
        {
            const row *list = all;
            int64_t count = 0;
            for (int64_t step = t0; step < t1; step++) count += rows_at(a, s, step, all + count);
            (void)list;
            for (int64_t u0 = part_hidden_4.start; u0 < part_hidden_4.stop; u0 += 4 * LANES)
            for (int64_t r0 = 0, m; r0 < count; r0 += m) {
                m = evenly(count, count - r0, 12, 6);
                vec acc_0[12 * 4] = {0}; /* W_h_x */
                {
                    const factor *w = pack_0 + u0 * 1 * DEPTH(n_input);
                    const real *rows[12];
                    for (int i = 0; i < m; i++) { AT(r0 + i); rows[i] = of_input_x + t * of_input_x_t + b * of_input_x_b; }
                    if (!a->direct) products_4_12((int)m, w, rows, n_input, acc_0);
                    else for (int i = 0; i < m; i++) {
                        dots(matrix_0_0 + u0 * ld_0_0, ld_0_0, least(4 * LANES, n_hidden - u0), rows[i], n_input, (real *)(acc_0 + i * 4 + 0));
                    }
                }
                for (int row_ = 0; row_ < m; row_++) {
                    AT(r0 + row_);
                    for (int q = 0; q < 4 && u0 + q * LANES < n_hidden; q++) {
                        const int64_t u = u0 + q * LANES; const int k = least(LANES, n_hidden - u);
                        const vec W_h_x = acc_0[row_ * 4 + 0 + q];
                        const vec b_h = load(of_parameter_b_h + u, k);
                        const vec t4_ = (W_h_x + b_h);
                        store(ahead_h_in + r * n_hidden + u, t4_, k);
                    }
                }
            }
            meet(me);
        }
        int64_t begin = 0;
        for (int64_t step = t0; step < t1; step++) {
            const row *list = all + begin;
            const int64_t count = running(a, s, step), staying = running(a, s, step + 1);
            const int64_t later = first_row(a, step + 1) + s.from;
            (void)later;
            if (a->reset) {
                if (!me->number) for (int64_t i = 0; i < count; i++) {
                    AT(i);
                    if (!a->reset[t * a->B + b]) continue;
                    memset(now_h + r * n_hidden, 0, (size_t)n_hidden * sizeof(real));
                }
                meet(me);
            }
            for (int64_t u0 = part_hidden_4.start; u0 < part_hidden_4.stop; u0 += 4 * LANES)
            for (int64_t r0 = 0, m; r0 < count; r0 += m) {
                m = evenly(count, count - r0, 12, 6);
                vec acc_1[12 * 4] = {0}; /* U_h_h */
                {
                    const factor *w = pack_1 + u0 * 1 * DEPTH(n_hidden);
                    const real *rows[12];
                    for (int i = 0; i < m; i++) { AT(r0 + i); rows[i] = now_h + r * n_hidden; }
                    if (!a->direct) products_4_12((int)m, w, rows, n_hidden, acc_1);
                    else for (int i = 0; i < m; i++) {
                        dots(matrix_1_0 + u0 * ld_1_0, ld_1_0, least(4 * LANES, n_hidden - u0), rows[i], n_hidden, (real *)(acc_1 + i * 4 + 0));
                    }
                }
                for (int row_ = 0; row_ < m; row_++) {
                    AT(r0 + row_);
                    for (int q = 0; q < 4 && u0 + q * LANES < n_hidden; q++) {
                        const int64_t u = u0 + q * LANES; const int k = least(LANES, n_hidden - u);
                        const vec U_h_h = acc_1[row_ * 4 + 0 + q];
                        const vec h_in = load(ahead_h_in + (begin + r) * n_hidden + u, k);
                        const vec t4_ = (h_in + U_h_h);
                        const vec h_ = v_tanh(t4_);
                        store(to_output + t * to_output_t + b * to_output_b + u, h_, k);
                        store((r < staying ? next_h + r * n_hidden : to_state_h + b * to_state_h_b) + u, h_, k);
                    }
                }
            }
            meet(me);
            { real *last = now_h; now_h = next_h; next_h = last; }
            begin += count;
        }
    }
}

static int64_t forward_pack_bytes(const arguments *a) {
    const int64_t n_input = a->size[0];
    const int64_t n_hidden = a->size[1];
    (void)n_input; (void)n_hidden;
    return room(((n_hidden + (4 * LANES) - 1) / (4 * LANES) * (4 * LANES)) * 1 * (DEPTH(n_input))) + room(((n_hidden + (4 * LANES) - 1) / (4 * LANES) * (4 * LANES)) * 1 * (DEPTH(n_hidden))) + 64;
}

static void forward_pack_places(arguments *a, char *memory) {
    const int64_t n_input = a->size[0];
    const int64_t n_hidden = a->size[1];
    (void)n_input; (void)n_hidden;
    a->pack[0] = cut(&memory, ((n_hidden + (4 * LANES) - 1) / (4 * LANES) * (4 * LANES)) * 1 * (DEPTH(n_input)));
    a->pack[1] = cut(&memory, ((n_hidden + (4 * LANES) - 1) / (4 * LANES) * (4 * LANES)) * 1 * (DEPTH(n_hidden)));
    (void)memory;
}

static int forward_pack(arguments *a, int64_t piece) {
    const int64_t n_input = a->size[0];
    const int64_t n_hidden = a->size[1];
    (void)n_input; (void)n_hidden;
    if (piece * 4 * LANES < n_hidden) {
        const real *matrix_0_0 = a->at[5];
        const int64_t ld_0_0 = a->stride[10];
        const int64_t u0 = piece * 4 * LANES;
        factor *to = (factor *)a->pack[0] + u0 * 1 * (DEPTH(n_input));
        for (int q = 0; q < 4; q++) {
            pack_rows(to + (0 + q) * LANES, matrix_0_0, ld_0_0, n_hidden, n_input, 4, u0 + q * LANES);
        }
        return 1;
    }
    piece -= (n_hidden + 4 * LANES - 1) / (4 * LANES);
    if (piece * 4 * LANES < n_hidden) {
        const real *matrix_1_0 = a->at[6];
        const int64_t ld_1_0 = a->stride[12];
        const int64_t u0 = piece * 4 * LANES;
        factor *to = (factor *)a->pack[1] + u0 * 1 * (DEPTH(n_hidden));
        for (int q = 0; q < 4; q++) {
            pack_rows(to + (0 + q) * LANES, matrix_1_0, ld_1_0, n_hidden, n_hidden, 4, u0 + q * LANES);
        }
        return 1;
    }
    piece -= (n_hidden + 4 * LANES - 1) / (4 * LANES);
    (void)piece;
    return 0;
}

SHARED(forward, 2, 7)

static int64_t forward_and_keep_bytes(const arguments *a, int64_t rows, int64_t members) {
    const int64_t n_input = a->size[0];
    const int64_t n_hidden = a->size[1];
    (void)n_input; (void)n_hidden;
    const int64_t listed = room_for(a->chunk * rows + 1, sizeof(row));
    const int64_t common = room(a->chunk * rows * n_hidden), own = 0;
    return common + members * (listed + own) + 64;
}

static void forward_and_keep_share(arguments *restrict a, share s, int64_t piece, member *me, char *memory) {
    const int64_t rows = s.count;
    const int64_t n_input = a->size[0];
    const int64_t n_hidden = a->size[1];
    (void)n_input; (void)n_hidden;
    const real *restrict of_state_h = a->at[0];
    const int64_t of_state_h_b = a->stride[1];
    const real *restrict of_input_x = a->at[1];
    const int64_t of_input_x_t = a->stride[2], of_input_x_b = a->stride[3];
    const real *restrict of_parameter_b_h = a->at[2];
    real *to_output = a->at[3];
    const int64_t to_output_t = a->stride[6], to_output_b = a->stride[7];
    real *restrict to_state_h = a->at[4];
    const int64_t to_state_h_b = a->stride[9];
    real *to_saved_h = a->at[5];
    const int64_t to_saved_h_b = a->stride[11];
    real *of_before_h = a->at[6];
    const int64_t of_before_h_b = a->stride[13];
    const factor *pack_0 = a->pack[0];
    const real *matrix_0_0 = a->at[7];
    const int64_t ld_0_0 = a->stride[14];
    const factor *pack_1 = a->pack[1];
    const real *matrix_1_0 = a->at[8];
    const int64_t ld_1_0 = a->stride[16];
    real *ahead_h_in = cut(&memory, a->chunk * rows * n_hidden);
    const int64_t listed = room_for(a->chunk * rows + 1, sizeof(row));
    memory += me->number * (listed + 0);
    row *all = (row *)memory;
    memory += listed;
    const span part_hidden_4 = part_of(me, n_hidden, 4 * LANES);
    (void)part_hidden_4;
    (void)memory, (void)piece, (void)rows;
    {
        const int64_t staying = running(a, s, 0), later = first_row(a, 0) + s.from;
        (void)later;
        if (!me->number) for (int64_t r = 0; r < s.count; r++) {
            const int64_t b = batch_row(a, s, r);
            memcpy((r < staying ? of_before_h + (later + r * s.every) * of_before_h_b : to_state_h + b * to_state_h_b), of_state_h + b * of_state_h_b, (size_t)n_hidden * sizeof(real));
        }
        meet(me);
    }
    if (!me->number && a->length) for (int64_t t = 0; t < a->T; t++) {
        for (int64_t r = running(a, s, t); r < s.count; r++) {
            const int64_t b = batch_row(a, s, r);
            memset(to_output + t * to_output_t + b * to_output_b, 0, (size_t)n_hidden * sizeof(real));
        }
    }
    for (int64_t t0 = 0; t0 < a->T; t0 += a->chunk) {
        const int64_t t1 = t0 + a->chunk < a->T ? t0 + a->chunk : a->T;
        {
            const row *list = all;
            int64_t count = 0;
            for (int64_t step = t0; step < t1; step++) count += rows_at(a, s, step, all + count);
            (void)list;
            for (int64_t u0 = part_hidden_4.start; u0 < part_hidden_4.stop; u0 += 4 * LANES)
            for (int64_t r0 = 0, m; r0 < count; r0 += m) {
                m = evenly(count, count - r0, 12, 6);
                vec acc_0[12 * 4] = {0}; /* W_h_x */
                {
                    const factor *w = pack_0 + u0 * 1 * DEPTH(n_input);
                    const real *rows[12];
                    for (int i = 0; i < m; i++) { AT(r0 + i); rows[i] = of_input_x + t * of_input_x_t + b * of_input_x_b; }
                    if (!a->direct) products_4_12((int)m, w, rows, n_input, acc_0);
                    else for (int i = 0; i < m; i++) {
                        dots(matrix_0_0 + u0 * ld_0_0, ld_0_0, least(4 * LANES, n_hidden - u0), rows[i], n_input, (real *)(acc_0 + i * 4 + 0));
                    }
                }
                for (int row_ = 0; row_ < m; row_++) {
                    AT(r0 + row_);
                    for (int q = 0; q < 4 && u0 + q * LANES < n_hidden; q++) {
                        const int64_t u = u0 + q * LANES; const int k = least(LANES, n_hidden - u);
                        const vec W_h_x = acc_0[row_ * 4 + 0 + q];
                        const vec b_h = load(of_parameter_b_h + u, k);
                        const vec t4_ = (W_h_x + b_h);
                        store(ahead_h_in + r * n_hidden + u, t4_, k);
                    }
                }
            }
            meet(me);
        }
        int64_t begin = 0;
        for (int64_t step = t0; step < t1; step++) {
            const row *list = all + begin;
            const int64_t count = running(a, s, step), staying = running(a, s, step + 1);
            const int64_t later = first_row(a, step + 1) + s.from;
            (void)later;
            if (a->reset) {
                if (!me->number) for (int64_t i = 0; i < count; i++) {
                    AT(i);
                    if (!a->reset[t * a->B + b]) continue;
                    memset(of_before_h + p * of_before_h_b, 0, (size_t)n_hidden * sizeof(real));
                }
                meet(me);
            }
            for (int64_t u0 = part_hidden_4.start; u0 < part_hidden_4.stop; u0 += 4 * LANES)
            for (int64_t r0 = 0, m; r0 < count; r0 += m) {
                m = evenly(count, count - r0, 12, 6);
                vec acc_1[12 * 4] = {0}; /* U_h_h */
                {
                    const factor *w = pack_1 + u0 * 1 * DEPTH(n_hidden);
                    const real *rows[12];
                    for (int i = 0; i < m; i++) { AT(r0 + i); rows[i] = of_before_h + p * of_before_h_b; }
                    if (!a->direct) products_4_12((int)m, w, rows, n_hidden, acc_1);
                    else for (int i = 0; i < m; i++) {
                        dots(matrix_1_0 + u0 * ld_1_0, ld_1_0, least(4 * LANES, n_hidden - u0), rows[i], n_hidden, (real *)(acc_1 + i * 4 + 0));
                    }
                }
                for (int row_ = 0; row_ < m; row_++) {
                    AT(r0 + row_);
                    for (int q = 0; q < 4 && u0 + q * LANES < n_hidden; q++) {
                        const int64_t u = u0 + q * LANES; const int k = least(LANES, n_hidden - u);
                        const vec U_h_h = acc_1[row_ * 4 + 0 + q];
                        const vec h_in = load(ahead_h_in + (begin + r) * n_hidden + u, k);
                        const vec t4_ = (h_in + U_h_h);
                        const vec h_ = v_tanh(t4_);
                        store(to_output + t * to_output_t + b * to_output_b + u, h_, k);
                        store((r < staying ? of_before_h + (later + r * s.every) * of_before_h_b : to_state_h + b * to_state_h_b) + u, h_, k);
                        store(to_saved_h + p * to_saved_h_b + u, h_, k);
                    }
                }
            }
            meet(me);
            begin += count;
        }
    }
}

static int64_t forward_and_keep_pack_bytes(const arguments *a) {
    const int64_t n_input = a->size[0];
    const int64_t n_hidden = a->size[1];
    (void)n_input; (void)n_hidden;
    return room(((n_hidden + (4 * LANES) - 1) / (4 * LANES) * (4 * LANES)) * 1 * (DEPTH(n_input))) + room(((n_hidden + (4 * LANES) - 1) / (4 * LANES) * (4 * LANES)) * 1 * (DEPTH(n_hidden))) + 64;
}

static void forward_and_keep_pack_places(arguments *a, char *memory) {
    const int64_t n_input = a->size[0];
    const int64_t n_hidden = a->size[1];
    (void)n_input; (void)n_hidden;
    a->pack[0] = cut(&memory, ((n_hidden + (4 * LANES) - 1) / (4 * LANES) * (4 * LANES)) * 1 * (DEPTH(n_input)));
    a->pack[1] = cut(&memory, ((n_hidden + (4 * LANES) - 1) / (4 * LANES) * (4 * LANES)) * 1 * (DEPTH(n_hidden)));
    (void)memory;
}

static int forward_and_keep_pack(arguments *a, int64_t piece) {
    const int64_t n_input = a->size[0];
    const int64_t n_hidden = a->size[1];
    (void)n_input; (void)n_hidden;
    if (piece * 4 * LANES < n_hidden) {
        const real *matrix_0_0 = a->at[7];
        const int64_t ld_0_0 = a->stride[14];
        const int64_t u0 = piece * 4 * LANES;
        factor *to = (factor *)a->pack[0] + u0 * 1 * (DEPTH(n_input));
        for (int q = 0; q < 4; q++) {
            pack_rows(to + (0 + q) * LANES, matrix_0_0, ld_0_0, n_hidden, n_input, 4, u0 + q * LANES);
        }
        return 1;
    }
    piece -= (n_hidden + 4 * LANES - 1) / (4 * LANES);
    if (piece * 4 * LANES < n_hidden) {
        const real *matrix_1_0 = a->at[8];
        const int64_t ld_1_0 = a->stride[16];
        const int64_t u0 = piece * 4 * LANES;
        factor *to = (factor *)a->pack[1] + u0 * 1 * (DEPTH(n_hidden));
        for (int q = 0; q < 4; q++) {
            pack_rows(to + (0 + q) * LANES, matrix_1_0, ld_1_0, n_hidden, n_hidden, 4, u0 + q * LANES);
        }
        return 1;
    }
    piece -= (n_hidden + 4 * LANES - 1) / (4 * LANES);
    (void)piece;
    return 0;
}

SHARED(forward_and_keep, 2, 9)

static int64_t reverse_bytes(const arguments *a, int64_t rows, int64_t members) {
    const int64_t n_hidden = a->size[0];
    (void)n_hidden;
    const int64_t listed = room_for(rows + 1, sizeof(row));
    const int64_t common = room(rows * n_hidden) + room(rows * n_hidden) + room(n_hidden) + room(2 * n_hidden), own = 0;
    return common + members * (listed + own) + 64;
}

static void reverse_share(arguments *restrict a, share s, int64_t piece, member *me, char *memory) {
    const int64_t rows = s.count;
    const int64_t n_hidden = a->size[0];
    (void)n_hidden;
    const real *restrict of_cotangent_state_h = a->at[0];
    const int64_t of_cotangent_state_h_b = a->stride[1];
    const real *restrict of_cotangent_output = a->at[1];
    const int64_t of_cotangent_output_t = a->stride[2], of_cotangent_output_b = a->stride[3];
    const real *restrict of_saved_h = a->at[2];
    const int64_t of_saved_h_b = a->stride[5];
    real *restrict to_parameter_b_h = a->at[3];
    const int64_t to_parameter_b_h_b = a->stride[7];
    real *restrict to_state_h = a->at[4];
    const int64_t to_state_h_b = a->stride[9];
    real *restrict to_product_0 = a->at[5];
    const int64_t to_product_0_b = a->stride[11];
    const factor *pack_0 = a->pack[0];
    const real *matrix_0_0 = a->at[6];
    const int64_t ld_0_0 = a->stride[12];
    real *now_h = cut(&memory, rows * n_hidden);
    real *next_h = cut(&memory, rows * n_hidden);
    real *sum_b_h = cut(&memory, n_hidden);
    double *sum_b_h_total = (double *)cut(&memory, 2 * n_hidden);
    const int64_t listed = room_for(rows + 1, sizeof(row));
    memory += me->number * (listed + 0);
    row *all = (row *)memory;
    memory += listed;
    const span part_hidden_1 = part_of(me, n_hidden, 1 * LANES);
    const span part_hidden_4 = part_of(me, n_hidden, 4 * LANES);
    (void)part_hidden_1; (void)part_hidden_4;
    (void)memory, (void)piece, (void)rows;
    if (!me->number) {
        memset(sum_b_h, 0, (size_t)n_hidden * sizeof(real));
        memset(sum_b_h_total, 0, (size_t)n_hidden * sizeof(double));
    }
    meet(me);
    row *list = all;
    int64_t before = 0;
    for (int64_t step = a->T - 1; step >= 0; step--) {
        const int64_t count = rows_at(a, s, step, list);
        if (before < count) { /* rows that end here */
            if (!me->number) for (int64_t i = before; i < count; i++) {
                AT(i);
                memcpy(now_h + r * n_hidden, of_cotangent_state_h + b * of_cotangent_state_h_b, (size_t)n_hidden * sizeof(real));
            }
            before = count;
            meet(me);
        }
        for (int64_t from = 0, until; from < count; from = until) {
            until = band(me, from, count);
            for (int64_t r0 = from; r0 < until; r0++) {
                AT(r0);
                for (int64_t u = part_hidden_1.start; u < part_hidden_1.stop; u += LANES) {
                    const int k = least(LANES, n_hidden - u);
                    const vec output = load(of_cotangent_output + t * of_cotangent_output_t + b * of_cotangent_output_b + u, k);
                    const vec state_h = load(now_h + r * n_hidden + u, k);
                    const vec t2_ = (output + state_h);
                    const vec h_ = load(of_saved_h + p * of_saved_h_b + u, k);
                    const vec t4_ = (h_ * h_);
                    const vec t6_ = (splat((real)1.0) - t4_);
                    const vec t7_ = (t2_ * t6_);
                    store(sum_b_h + u, load(sum_b_h + u, k) + t7_, k);
                    store(to_product_0 + p * to_product_0_b + u, t7_, k);
                }
            }
            meet(me);
        }
        if (step || a->start) {
            for (int64_t u0 = part_hidden_4.start; u0 < part_hidden_4.stop; u0 += 4 * LANES)
            for (int64_t r0 = 0, m; r0 < count; r0 += m) {
                m = evenly(count, count - r0, 12, 6);
                vec acc_0[12 * 4] = {0}; /* t9_ */
                {
                    const factor *w = pack_0 + u0 * 1 * DEPTH(n_hidden);
                    const real *rows[12];
                    for (int i = 0; i < m; i++) { AT(r0 + i); rows[i] = to_product_0 + p * to_product_0_b; }
                    if (!a->direct) products_4_12((int)m, w, rows, n_hidden, acc_0);
                    else for (int i = 0; i < m; i++) {
                        columns(matrix_0_0 + u0, ld_0_0, least(4 * LANES, n_hidden - u0), rows[i], n_hidden, acc_0 + i * 4);
                    }
                }
                for (int row_ = 0; row_ < m; row_++) {
                    AT(r0 + row_);
                    for (int q = 0; q < 4 && u0 + q * LANES < n_hidden; q++) {
                        const int64_t u = u0 + q * LANES; const int k = least(LANES, n_hidden - u);
                        const vec t9_ = acc_0[row_ * 4 + 0 + q];
                        store(next_h + r * n_hidden + u, t9_, k);
                    }
                }
            }
        }
        meet(me);
        if (a->reset) {
            if (!me->number) for (int64_t i = 0; i < count; i++) {
                AT(i);
                if (!a->reset[t * a->B + b]) continue;
                memset(next_h + r * n_hidden, 0, (size_t)n_hidden * sizeof(real));
            }
            meet(me);
        }
        { real *last = now_h; now_h = next_h; next_h = last; }
        if (step % 32 == 0) {
            if (!me->number) {
                add_to(sum_b_h_total, sum_b_h, n_hidden);
            }
            meet(me);
        }
    }
    if (me->number) return;
    if (a->start) for (int64_t r = 0; r < s.count; r++) {
        const int64_t b = batch_row(a, s, r);
        memcpy(to_state_h + b * to_state_h_b, r < before ? now_h + r * n_hidden : of_cotangent_state_h + b * of_cotangent_state_h_b, (size_t)n_hidden * sizeof(real));
    }
    for (int64_t u = 0; u < n_hidden; u++) to_parameter_b_h[piece * to_parameter_b_h_b + u] = (real)sum_b_h_total[u];
}

static int64_t reverse_pack_bytes(const arguments *a) {
    const int64_t n_hidden = a->size[0];
    (void)n_hidden;
    return room(((n_hidden + (4 * LANES) - 1) / (4 * LANES) * (4 * LANES)) * 1 * (DEPTH(n_hidden))) + 64;
}

static void reverse_pack_places(arguments *a, char *memory) {
    const int64_t n_hidden = a->size[0];
    (void)n_hidden;
    a->pack[0] = cut(&memory, ((n_hidden + (4 * LANES) - 1) / (4 * LANES) * (4 * LANES)) * 1 * (DEPTH(n_hidden)));
    (void)memory;
}

static int reverse_pack(arguments *a, int64_t piece) {
    const int64_t n_hidden = a->size[0];
    (void)n_hidden;
    if (piece * 4 * LANES < n_hidden) {
        const real *matrix_0_0 = a->at[6];
        const int64_t ld_0_0 = a->stride[12];
        const int64_t u0 = piece * 4 * LANES;
        factor *to = (factor *)a->pack[0] + u0 * 1 * (DEPTH(n_hidden));
        for (int q = 0; q < 4; q++) {
            pack_columns(to + (0 + q) * LANES, matrix_0_0, ld_0_0, n_hidden, n_hidden, 4, u0 + q * LANES);
        }
        return 1;
    }
    piece -= (n_hidden + 4 * LANES - 1) / (4 * LANES);
    (void)piece;
    return 0;
}

SHARED(reverse, 1, 7)
