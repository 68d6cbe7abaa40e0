
/*
 * lstm
 *
 * i = sigmoid(W.i @ x + b.i + U.i @ h)
 * f = sigmoid(W.f @ x + b.f + U.f @ h)
 * g = tanh(W.g @ x + b.g + U.g @ h)
 * o = sigmoid(W.o @ x + b.o + U.o @ h)
 * c = f * c + i * g
 * h = o * tanh(c)
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
    const int64_t common = room(rows * n_hidden) + room(rows * n_hidden) + room(rows * n_hidden) + room(rows * n_hidden) + room(a->chunk * rows * n_hidden) + room(a->chunk * rows * n_hidden) + room(a->chunk * rows * n_hidden) + room(a->chunk * rows * n_hidden), own = 0;
    return common + members * (listed + own) + 64;
}

static void forward_share(arguments *restrict a, share s, int64_t piece, member *me, char *memory) {
    const int64_t rows = s.count;
    const int64_t n_input = a->size[0];
    const int64_t n_hidden = a->size[1];
    (void)n_input; (void)n_hidden;
    const real *restrict of_state_h = a->at[0];
    const int64_t of_state_h_b = a->stride[1];
    const real *restrict of_state_c = a->at[1];
    const int64_t of_state_c_b = a->stride[3];
    const real *restrict of_input_x = a->at[2];
    const int64_t of_input_x_t = a->stride[4], of_input_x_b = a->stride[5];
    const real *restrict of_parameter_b_i = a->at[3];
    const real *restrict of_parameter_b_f = a->at[4];
    const real *restrict of_parameter_b_g = a->at[5];
    const real *restrict of_parameter_b_o = a->at[6];
    real *restrict to_output = a->at[7];
    const int64_t to_output_t = a->stride[14], to_output_b = a->stride[15];
    real *restrict to_state_h = a->at[8];
    const int64_t to_state_h_b = a->stride[17];
    real *restrict to_state_c = a->at[9];
    const int64_t to_state_c_b = a->stride[19];
    const factor *pack_0 = a->pack[0];
    const real *matrix_0_0 = a->at[10];
    const int64_t ld_0_0 = a->stride[20];
    const real *matrix_0_1 = a->at[11];
    const int64_t ld_0_1 = a->stride[22];
    const real *matrix_0_2 = a->at[12];
    const int64_t ld_0_2 = a->stride[24];
    const real *matrix_0_3 = a->at[13];
    const int64_t ld_0_3 = a->stride[26];
    const factor *pack_1 = a->pack[1];
    const real *matrix_1_0 = a->at[14];
    const int64_t ld_1_0 = a->stride[28];
    const real *matrix_1_1 = a->at[15];
    const int64_t ld_1_1 = a->stride[30];
    const real *matrix_1_2 = a->at[16];
    const int64_t ld_1_2 = a->stride[32];
    const real *matrix_1_3 = a->at[17];
    const int64_t ld_1_3 = a->stride[34];
    real *now_h = cut(&memory, rows * n_hidden);
    real *next_h = cut(&memory, rows * n_hidden);
    real *now_c = cut(&memory, rows * n_hidden);
    real *next_c = cut(&memory, rows * n_hidden);
    real *ahead_i_in = cut(&memory, a->chunk * rows * n_hidden);
    real *ahead_f_in = cut(&memory, a->chunk * rows * n_hidden);
    real *ahead_g_in = cut(&memory, a->chunk * rows * n_hidden);
    real *ahead_o_in = cut(&memory, a->chunk * rows * n_hidden);
    const int64_t listed = room_for(a->chunk * rows + 1, sizeof(row));
    memory += me->number * (listed + 0);
    row *all = (row *)memory;
    memory += listed;
    const span part_hidden_1 = part_of(me, n_hidden, 1 * LANES);
    (void)part_hidden_1;
    (void)memory, (void)piece, (void)rows;
    {
        const int64_t staying = running(a, s, 0), later = first_row(a, 0) + s.from;
        (void)later;
        if (!me->number) for (int64_t r = 0; r < s.count; r++) {
            const int64_t b = batch_row(a, s, r);
            memcpy((r < staying ? now_h + r * n_hidden : to_state_h + b * to_state_h_b), of_state_h + b * of_state_h_b, (size_t)n_hidden * sizeof(real));
            memcpy((r < staying ? now_c + r * n_hidden : to_state_c + b * to_state_c_b), of_state_c + b * of_state_c_b, (size_t)n_hidden * sizeof(real));
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
            for (int64_t u0 = part_hidden_1.start; u0 < part_hidden_1.stop; u0 += LANES)
            for (int64_t r0 = 0, m; r0 < count; r0 += m) {
                m = evenly(count, count - r0, 12, 6);
                vec acc_0[12 * 4] = {0}; /* W_i_x, W_f_x, W_g_x, W_o_x */
                {
                    const factor *w = pack_0 + u0 * 4 * DEPTH(n_input);
                    const real *rows[12];
                    for (int i = 0; i < m; i++) { AT(r0 + i); rows[i] = of_input_x + t * of_input_x_t + b * of_input_x_b; }
                    if (!a->direct) products_4_12((int)m, w, rows, n_input, acc_0);
                    else for (int i = 0; i < m; i++) {
                        dots(matrix_0_0 + u0 * ld_0_0, ld_0_0, least(1 * LANES, n_hidden - u0), rows[i], n_input, (real *)(acc_0 + i * 4 + 0));
                        dots(matrix_0_1 + u0 * ld_0_1, ld_0_1, least(1 * LANES, n_hidden - u0), rows[i], n_input, (real *)(acc_0 + i * 4 + 1));
                        dots(matrix_0_2 + u0 * ld_0_2, ld_0_2, least(1 * LANES, n_hidden - u0), rows[i], n_input, (real *)(acc_0 + i * 4 + 2));
                        dots(matrix_0_3 + u0 * ld_0_3, ld_0_3, least(1 * LANES, n_hidden - u0), rows[i], n_input, (real *)(acc_0 + i * 4 + 3));
                    }
                }
                for (int row_ = 0; row_ < m; row_++) {
                    AT(r0 + row_);
                    const int64_t u = u0; const int k = least(LANES, n_hidden - u);
                    const vec W_i_x = acc_0[row_ * 4 + 0];
                    const vec W_f_x = acc_0[row_ * 4 + 1];
                    const vec W_g_x = acc_0[row_ * 4 + 2];
                    const vec W_o_x = acc_0[row_ * 4 + 3];
                    const vec b_i = load(of_parameter_b_i + u, k);
                    const vec t4_ = (W_i_x + b_i);
                    store(ahead_i_in + r * n_hidden + u, t4_, k);
                    const vec b_f = load(of_parameter_b_f + u, k);
                    const vec t8_ = (W_f_x + b_f);
                    store(ahead_f_in + r * n_hidden + u, t8_, k);
                    const vec b_g = load(of_parameter_b_g + u, k);
                    const vec t12_ = (W_g_x + b_g);
                    store(ahead_g_in + r * n_hidden + u, t12_, k);
                    const vec b_o = load(of_parameter_b_o + u, k);
                    const vec t16_ = (W_o_x + b_o);
                    store(ahead_o_in + r * n_hidden + u, t16_, k);
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
                    memset(now_c + r * n_hidden, 0, (size_t)n_hidden * sizeof(real));
                }
                meet(me);
            }
            for (int64_t u0 = part_hidden_1.start; u0 < part_hidden_1.stop; u0 += LANES)
            for (int64_t r0 = 0, m; r0 < count; r0 += m) {
                m = evenly(count, count - r0, 12, 6);
                vec acc_1[12 * 4] = {0}; /* U_i_h, U_f_h, U_g_h, U_o_h */
                {
                    const factor *w = pack_1 + u0 * 4 * DEPTH(n_hidden);
                    const real *rows[12];
                    for (int i = 0; i < m; i++) { AT(r0 + i); rows[i] = now_h + r * n_hidden; }
                    if (!a->direct) products_4_12((int)m, w, rows, n_hidden, acc_1);
                    else for (int i = 0; i < m; i++) {
                        dots(matrix_1_0 + u0 * ld_1_0, ld_1_0, least(1 * LANES, n_hidden - u0), rows[i], n_hidden, (real *)(acc_1 + i * 4 + 0));
                        dots(matrix_1_1 + u0 * ld_1_1, ld_1_1, least(1 * LANES, n_hidden - u0), rows[i], n_hidden, (real *)(acc_1 + i * 4 + 1));
                        dots(matrix_1_2 + u0 * ld_1_2, ld_1_2, least(1 * LANES, n_hidden - u0), rows[i], n_hidden, (real *)(acc_1 + i * 4 + 2));
                        dots(matrix_1_3 + u0 * ld_1_3, ld_1_3, least(1 * LANES, n_hidden - u0), rows[i], n_hidden, (real *)(acc_1 + i * 4 + 3));
                    }
                }
                for (int row_ = 0; row_ < m; row_++) {
                    AT(r0 + row_);
                    const int64_t u = u0; const int k = least(LANES, n_hidden - u);
                    const vec U_i_h = acc_1[row_ * 4 + 0];
                    const vec U_f_h = acc_1[row_ * 4 + 1];
                    const vec U_g_h = acc_1[row_ * 4 + 2];
                    const vec U_o_h = acc_1[row_ * 4 + 3];
                    const vec i_in = load(ahead_i_in + (begin + r) * n_hidden + u, k);
                    const vec t5_ = (i_in + U_i_h);
                    const vec i_ = v_sigmoid(t5_);
                    const vec f_in = load(ahead_f_in + (begin + r) * n_hidden + u, k);
                    const vec t10_ = (f_in + U_f_h);
                    const vec f_ = v_sigmoid(t10_);
                    const vec g_in = load(ahead_g_in + (begin + r) * n_hidden + u, k);
                    const vec t15_ = (g_in + U_g_h);
                    const vec g_ = v_tanh(t15_);
                    const vec o_in = load(ahead_o_in + (begin + r) * n_hidden + u, k);
                    const vec t20_ = (o_in + U_o_h);
                    const vec o_ = v_sigmoid(t20_);
                    const vec c_before = load(now_c + r * n_hidden + u, k);
                    const vec t22_ = (f_ * c_before);
                    const vec t23_ = (i_ * g_);
                    const vec c_ = (t22_ + t23_);
                    store((r < staying ? next_c + r * n_hidden : to_state_c + b * to_state_c_b) + u, c_, k);
                    const vec t25_ = v_tanh(c_);
                    const vec h_ = (o_ * t25_);
                    store(to_output + t * to_output_t + b * to_output_b + u, h_, k);
                    store((r < staying ? next_h + r * n_hidden : to_state_h + b * to_state_h_b) + u, h_, k);
                }
            }
            meet(me);
            { real *last = now_h; now_h = next_h; next_h = last; }
            { real *last = now_c; now_c = next_c; next_c = last; }
            begin += count;
        }
    }
}

static int64_t forward_pack_bytes(const arguments *a) {
    const int64_t n_input = a->size[0];
    const int64_t n_hidden = a->size[1];
    (void)n_input; (void)n_hidden;
    return room(((n_hidden + (1 * LANES) - 1) / (1 * LANES) * (1 * LANES)) * 4 * (DEPTH(n_input))) + room(((n_hidden + (1 * LANES) - 1) / (1 * LANES) * (1 * LANES)) * 4 * (DEPTH(n_hidden))) + 64;
}

static void forward_pack_places(arguments *a, char *memory) {
    const int64_t n_input = a->size[0];
    const int64_t n_hidden = a->size[1];
    (void)n_input; (void)n_hidden;
    a->pack[0] = cut(&memory, ((n_hidden + (1 * LANES) - 1) / (1 * LANES) * (1 * LANES)) * 4 * (DEPTH(n_input)));
    a->pack[1] = cut(&memory, ((n_hidden + (1 * LANES) - 1) / (1 * LANES) * (1 * LANES)) * 4 * (DEPTH(n_hidden)));
    (void)memory;
}

static int forward_pack(arguments *a, int64_t piece) {
    const int64_t n_input = a->size[0];
    const int64_t n_hidden = a->size[1];
    (void)n_input; (void)n_hidden;
    if (piece * 1 * LANES < n_hidden) {
        const real *matrix_0_0 = a->at[10];
        const int64_t ld_0_0 = a->stride[20];
        const real *matrix_0_1 = a->at[11];
        const int64_t ld_0_1 = a->stride[22];
        const real *matrix_0_2 = a->at[12];
        const int64_t ld_0_2 = a->stride[24];
        const real *matrix_0_3 = a->at[13];
        const int64_t ld_0_3 = a->stride[26];
        const int64_t u0 = piece * 1 * LANES;
        factor *to = (factor *)a->pack[0] + u0 * 4 * (DEPTH(n_input));
        for (int q = 0; q < 1; q++) {
            pack_rows(to + (0 + q) * LANES, matrix_0_0, ld_0_0, n_hidden, n_input, 4, u0 + q * LANES);
            pack_rows(to + (1 + q) * LANES, matrix_0_1, ld_0_1, n_hidden, n_input, 4, u0 + q * LANES);
            pack_rows(to + (2 + q) * LANES, matrix_0_2, ld_0_2, n_hidden, n_input, 4, u0 + q * LANES);
            pack_rows(to + (3 + q) * LANES, matrix_0_3, ld_0_3, n_hidden, n_input, 4, u0 + q * LANES);
        }
        return 1;
    }
    piece -= (n_hidden + 1 * LANES - 1) / (1 * LANES);
    if (piece * 1 * LANES < n_hidden) {
        const real *matrix_1_0 = a->at[14];
        const int64_t ld_1_0 = a->stride[28];
        const real *matrix_1_1 = a->at[15];
        const int64_t ld_1_1 = a->stride[30];
        const real *matrix_1_2 = a->at[16];
        const int64_t ld_1_2 = a->stride[32];
        const real *matrix_1_3 = a->at[17];
        const int64_t ld_1_3 = a->stride[34];
        const int64_t u0 = piece * 1 * LANES;
        factor *to = (factor *)a->pack[1] + u0 * 4 * (DEPTH(n_hidden));
        for (int q = 0; q < 1; q++) {
            pack_rows(to + (0 + q) * LANES, matrix_1_0, ld_1_0, n_hidden, n_hidden, 4, u0 + q * LANES);
            pack_rows(to + (1 + q) * LANES, matrix_1_1, ld_1_1, n_hidden, n_hidden, 4, u0 + q * LANES);
            pack_rows(to + (2 + q) * LANES, matrix_1_2, ld_1_2, n_hidden, n_hidden, 4, u0 + q * LANES);
            pack_rows(to + (3 + q) * LANES, matrix_1_3, ld_1_3, n_hidden, n_hidden, 4, u0 + q * LANES);
        }
        return 1;
    }
    piece -= (n_hidden + 1 * LANES - 1) / (1 * LANES);
    (void)piece;
    return 0;
}

SHARED(forward, 2, 18)

static int64_t forward_and_keep_bytes(const arguments *a, int64_t rows, int64_t members) {
    const int64_t n_input = a->size[0];
    const int64_t n_hidden = a->size[1];
    (void)n_input; (void)n_hidden;
    const int64_t listed = room_for(a->chunk * rows + 1, sizeof(row));
    const int64_t common = room(a->chunk * rows * n_hidden) + room(a->chunk * rows * n_hidden) + room(a->chunk * rows * n_hidden) + room(a->chunk * rows * n_hidden), own = 0;
    return common + members * (listed + own) + 64;
}

static void forward_and_keep_share(arguments *restrict a, share s, int64_t piece, member *me, char *memory) {
    const int64_t rows = s.count;
    const int64_t n_input = a->size[0];
    const int64_t n_hidden = a->size[1];
    (void)n_input; (void)n_hidden;
    const real *restrict of_state_h = a->at[0];
    const int64_t of_state_h_b = a->stride[1];
    const real *restrict of_state_c = a->at[1];
    const int64_t of_state_c_b = a->stride[3];
    const real *restrict of_input_x = a->at[2];
    const int64_t of_input_x_t = a->stride[4], of_input_x_b = a->stride[5];
    const real *restrict of_parameter_b_i = a->at[3];
    const real *restrict of_parameter_b_f = a->at[4];
    const real *restrict of_parameter_b_g = a->at[5];
    const real *restrict of_parameter_b_o = a->at[6];
    real *to_output = a->at[7];
    const int64_t to_output_t = a->stride[14], to_output_b = a->stride[15];
    real *restrict to_state_h = a->at[8];
    const int64_t to_state_h_b = a->stride[17];
    real *restrict to_state_c = a->at[9];
    const int64_t to_state_c_b = a->stride[19];
    real *restrict to_saved_o = a->at[10];
    const int64_t to_saved_o_b = a->stride[21];
    real *restrict to_saved_t38 = a->at[11];
    const int64_t to_saved_t38_b = a->stride[23];
    real *restrict to_saved_f = a->at[12];
    const int64_t to_saved_f_b = a->stride[25];
    real *restrict to_saved_i = a->at[13];
    const int64_t to_saved_i_b = a->stride[27];
    real *restrict to_saved_g = a->at[14];
    const int64_t to_saved_g_b = a->stride[29];
    real *of_before_h = a->at[15];
    const int64_t of_before_h_b = a->stride[31];
    real *restrict of_before_c = a->at[16];
    const int64_t of_before_c_b = a->stride[33];
    const factor *pack_0 = a->pack[0];
    const real *matrix_0_0 = a->at[17];
    const int64_t ld_0_0 = a->stride[34];
    const real *matrix_0_1 = a->at[18];
    const int64_t ld_0_1 = a->stride[36];
    const real *matrix_0_2 = a->at[19];
    const int64_t ld_0_2 = a->stride[38];
    const real *matrix_0_3 = a->at[20];
    const int64_t ld_0_3 = a->stride[40];
    const factor *pack_1 = a->pack[1];
    const real *matrix_1_0 = a->at[21];
    const int64_t ld_1_0 = a->stride[42];
    const real *matrix_1_1 = a->at[22];
    const int64_t ld_1_1 = a->stride[44];
    const real *matrix_1_2 = a->at[23];
    const int64_t ld_1_2 = a->stride[46];
    const real *matrix_1_3 = a->at[24];
    const int64_t ld_1_3 = a->stride[48];
    real *ahead_i_in = cut(&memory, a->chunk * rows * n_hidden);
    real *ahead_f_in = cut(&memory, a->chunk * rows * n_hidden);
    real *ahead_g_in = cut(&memory, a->chunk * rows * n_hidden);
    real *ahead_o_in = cut(&memory, a->chunk * rows * n_hidden);
    const int64_t listed = room_for(a->chunk * rows + 1, sizeof(row));
    memory += me->number * (listed + 0);
    row *all = (row *)memory;
    memory += listed;
    const span part_hidden_1 = part_of(me, n_hidden, 1 * LANES);
    (void)part_hidden_1;
    (void)memory, (void)piece, (void)rows;
    {
        const int64_t staying = running(a, s, 0), later = first_row(a, 0) + s.from;
        (void)later;
        if (!me->number) for (int64_t r = 0; r < s.count; r++) {
            const int64_t b = batch_row(a, s, r);
            memcpy((r < staying ? of_before_h + (later + r * s.every) * of_before_h_b : to_state_h + b * to_state_h_b), of_state_h + b * of_state_h_b, (size_t)n_hidden * sizeof(real));
            memcpy((r < staying ? of_before_c + (later + r * s.every) * of_before_c_b : to_state_c + b * to_state_c_b), of_state_c + b * of_state_c_b, (size_t)n_hidden * sizeof(real));
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
            for (int64_t u0 = part_hidden_1.start; u0 < part_hidden_1.stop; u0 += LANES)
            for (int64_t r0 = 0, m; r0 < count; r0 += m) {
                m = evenly(count, count - r0, 12, 6);
                vec acc_0[12 * 4] = {0}; /* W_i_x, W_f_x, W_g_x, W_o_x */
                {
                    const factor *w = pack_0 + u0 * 4 * DEPTH(n_input);
                    const real *rows[12];
                    for (int i = 0; i < m; i++) { AT(r0 + i); rows[i] = of_input_x + t * of_input_x_t + b * of_input_x_b; }
                    if (!a->direct) products_4_12((int)m, w, rows, n_input, acc_0);
                    else for (int i = 0; i < m; i++) {
                        dots(matrix_0_0 + u0 * ld_0_0, ld_0_0, least(1 * LANES, n_hidden - u0), rows[i], n_input, (real *)(acc_0 + i * 4 + 0));
                        dots(matrix_0_1 + u0 * ld_0_1, ld_0_1, least(1 * LANES, n_hidden - u0), rows[i], n_input, (real *)(acc_0 + i * 4 + 1));
                        dots(matrix_0_2 + u0 * ld_0_2, ld_0_2, least(1 * LANES, n_hidden - u0), rows[i], n_input, (real *)(acc_0 + i * 4 + 2));
                        dots(matrix_0_3 + u0 * ld_0_3, ld_0_3, least(1 * LANES, n_hidden - u0), rows[i], n_input, (real *)(acc_0 + i * 4 + 3));
                    }
                }
                for (int row_ = 0; row_ < m; row_++) {
                    AT(r0 + row_);
                    const int64_t u = u0; const int k = least(LANES, n_hidden - u);
                    const vec W_i_x = acc_0[row_ * 4 + 0];
                    const vec W_f_x = acc_0[row_ * 4 + 1];
                    const vec W_g_x = acc_0[row_ * 4 + 2];
                    const vec W_o_x = acc_0[row_ * 4 + 3];
                    const vec b_i = load(of_parameter_b_i + u, k);
                    const vec t4_ = (W_i_x + b_i);
                    store(ahead_i_in + r * n_hidden + u, t4_, k);
                    const vec b_f = load(of_parameter_b_f + u, k);
                    const vec t8_ = (W_f_x + b_f);
                    store(ahead_f_in + r * n_hidden + u, t8_, k);
                    const vec b_g = load(of_parameter_b_g + u, k);
                    const vec t12_ = (W_g_x + b_g);
                    store(ahead_g_in + r * n_hidden + u, t12_, k);
                    const vec b_o = load(of_parameter_b_o + u, k);
                    const vec t16_ = (W_o_x + b_o);
                    store(ahead_o_in + r * n_hidden + u, t16_, k);
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
                    memset(of_before_c + p * of_before_c_b, 0, (size_t)n_hidden * sizeof(real));
                }
                meet(me);
            }
            for (int64_t u0 = part_hidden_1.start; u0 < part_hidden_1.stop; u0 += LANES)
            for (int64_t r0 = 0, m; r0 < count; r0 += m) {
                m = evenly(count, count - r0, 12, 6);
                vec acc_1[12 * 4] = {0}; /* U_i_h, U_f_h, U_g_h, U_o_h */
                {
                    const factor *w = pack_1 + u0 * 4 * DEPTH(n_hidden);
                    const real *rows[12];
                    for (int i = 0; i < m; i++) { AT(r0 + i); rows[i] = of_before_h + p * of_before_h_b; }
                    if (!a->direct) products_4_12((int)m, w, rows, n_hidden, acc_1);
                    else for (int i = 0; i < m; i++) {
                        dots(matrix_1_0 + u0 * ld_1_0, ld_1_0, least(1 * LANES, n_hidden - u0), rows[i], n_hidden, (real *)(acc_1 + i * 4 + 0));
                        dots(matrix_1_1 + u0 * ld_1_1, ld_1_1, least(1 * LANES, n_hidden - u0), rows[i], n_hidden, (real *)(acc_1 + i * 4 + 1));
                        dots(matrix_1_2 + u0 * ld_1_2, ld_1_2, least(1 * LANES, n_hidden - u0), rows[i], n_hidden, (real *)(acc_1 + i * 4 + 2));
                        dots(matrix_1_3 + u0 * ld_1_3, ld_1_3, least(1 * LANES, n_hidden - u0), rows[i], n_hidden, (real *)(acc_1 + i * 4 + 3));
                    }
                }
                for (int row_ = 0; row_ < m; row_++) {
                    AT(r0 + row_);
                    const int64_t u = u0; const int k = least(LANES, n_hidden - u);
                    const vec U_i_h = acc_1[row_ * 4 + 0];
                    const vec U_f_h = acc_1[row_ * 4 + 1];
                    const vec U_g_h = acc_1[row_ * 4 + 2];
                    const vec U_o_h = acc_1[row_ * 4 + 3];
                    const vec i_in = load(ahead_i_in + (begin + r) * n_hidden + u, k);
                    const vec t5_ = (i_in + U_i_h);
                    const vec i_ = v_sigmoid(t5_);
                    store(to_saved_i + p * to_saved_i_b + u, i_, k);
                    const vec f_in = load(ahead_f_in + (begin + r) * n_hidden + u, k);
                    const vec t10_ = (f_in + U_f_h);
                    const vec f_ = v_sigmoid(t10_);
                    store(to_saved_f + p * to_saved_f_b + u, f_, k);
                    const vec g_in = load(ahead_g_in + (begin + r) * n_hidden + u, k);
                    const vec t15_ = (g_in + U_g_h);
                    const vec g_ = v_tanh(t15_);
                    store(to_saved_g + p * to_saved_g_b + u, g_, k);
                    const vec o_in = load(ahead_o_in + (begin + r) * n_hidden + u, k);
                    const vec t20_ = (o_in + U_o_h);
                    const vec o_ = v_sigmoid(t20_);
                    store(to_saved_o + p * to_saved_o_b + u, o_, k);
                    const vec c_before = load(of_before_c + p * of_before_c_b + u, k);
                    const vec t22_ = (f_ * c_before);
                    const vec t23_ = (i_ * g_);
                    const vec c_ = (t22_ + t23_);
                    store((r < staying ? of_before_c + (later + r * s.every) * of_before_c_b : to_state_c + b * to_state_c_b) + u, c_, k);
                    const vec t25_ = v_tanh(c_);
                    store(to_saved_t38 + p * to_saved_t38_b + u, t25_, k);
                    const vec h_ = (o_ * t25_);
                    store(to_output + t * to_output_t + b * to_output_b + u, h_, k);
                    store((r < staying ? of_before_h + (later + r * s.every) * of_before_h_b : to_state_h + b * to_state_h_b) + u, h_, k);
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
    return room(((n_hidden + (1 * LANES) - 1) / (1 * LANES) * (1 * LANES)) * 4 * (DEPTH(n_input))) + room(((n_hidden + (1 * LANES) - 1) / (1 * LANES) * (1 * LANES)) * 4 * (DEPTH(n_hidden))) + 64;
}

static void forward_and_keep_pack_places(arguments *a, char *memory) {
    const int64_t n_input = a->size[0];
    const int64_t n_hidden = a->size[1];
    (void)n_input; (void)n_hidden;
    a->pack[0] = cut(&memory, ((n_hidden + (1 * LANES) - 1) / (1 * LANES) * (1 * LANES)) * 4 * (DEPTH(n_input)));
    a->pack[1] = cut(&memory, ((n_hidden + (1 * LANES) - 1) / (1 * LANES) * (1 * LANES)) * 4 * (DEPTH(n_hidden)));
    (void)memory;
}

static int forward_and_keep_pack(arguments *a, int64_t piece) {
    const int64_t n_input = a->size[0];
    const int64_t n_hidden = a->size[1];
    (void)n_input; (void)n_hidden;
    if (piece * 1 * LANES < n_hidden) {
        const real *matrix_0_0 = a->at[17];
        const int64_t ld_0_0 = a->stride[34];
        const real *matrix_0_1 = a->at[18];
        const int64_t ld_0_1 = a->stride[36];
        const real *matrix_0_2 = a->at[19];
        const int64_t ld_0_2 = a->stride[38];
        const real *matrix_0_3 = a->at[20];
        const int64_t ld_0_3 = a->stride[40];
        const int64_t u0 = piece * 1 * LANES;
        factor *to = (factor *)a->pack[0] + u0 * 4 * (DEPTH(n_input));
        for (int q = 0; q < 1; q++) {
            pack_rows(to + (0 + q) * LANES, matrix_0_0, ld_0_0, n_hidden, n_input, 4, u0 + q * LANES);
            pack_rows(to + (1 + q) * LANES, matrix_0_1, ld_0_1, n_hidden, n_input, 4, u0 + q * LANES);
            pack_rows(to + (2 + q) * LANES, matrix_0_2, ld_0_2, n_hidden, n_input, 4, u0 + q * LANES);
            pack_rows(to + (3 + q) * LANES, matrix_0_3, ld_0_3, n_hidden, n_input, 4, u0 + q * LANES);
        }
        return 1;
    }
    piece -= (n_hidden + 1 * LANES - 1) / (1 * LANES);
    if (piece * 1 * LANES < n_hidden) {
        const real *matrix_1_0 = a->at[21];
        const int64_t ld_1_0 = a->stride[42];
        const real *matrix_1_1 = a->at[22];
        const int64_t ld_1_1 = a->stride[44];
        const real *matrix_1_2 = a->at[23];
        const int64_t ld_1_2 = a->stride[46];
        const real *matrix_1_3 = a->at[24];
        const int64_t ld_1_3 = a->stride[48];
        const int64_t u0 = piece * 1 * LANES;
        factor *to = (factor *)a->pack[1] + u0 * 4 * (DEPTH(n_hidden));
        for (int q = 0; q < 1; q++) {
            pack_rows(to + (0 + q) * LANES, matrix_1_0, ld_1_0, n_hidden, n_hidden, 4, u0 + q * LANES);
            pack_rows(to + (1 + q) * LANES, matrix_1_1, ld_1_1, n_hidden, n_hidden, 4, u0 + q * LANES);
            pack_rows(to + (2 + q) * LANES, matrix_1_2, ld_1_2, n_hidden, n_hidden, 4, u0 + q * LANES);
            pack_rows(to + (3 + q) * LANES, matrix_1_3, ld_1_3, n_hidden, n_hidden, 4, u0 + q * LANES);
        }
        return 1;
    }
    piece -= (n_hidden + 1 * LANES - 1) / (1 * LANES);
    (void)piece;
    return 0;
}

SHARED(forward_and_keep, 2, 25)

static int64_t reverse_bytes(const arguments *a, int64_t rows, int64_t members) {
    const int64_t n_hidden = a->size[0];
    (void)n_hidden;
    const int64_t listed = room_for(rows + 1, sizeof(row));
    const int64_t common = room(rows * n_hidden) + room(rows * n_hidden) + room(rows * n_hidden) + room(rows * n_hidden) + room(n_hidden) + room(2 * n_hidden) + room(n_hidden) + room(2 * n_hidden) + room(n_hidden) + room(2 * n_hidden) + room(n_hidden) + room(2 * n_hidden), own = 0;
    return common + members * (listed + own) + 64;
}

static void reverse_share(arguments *restrict a, share s, int64_t piece, member *me, char *memory) {
    const int64_t rows = s.count;
    const int64_t n_hidden = a->size[0];
    (void)n_hidden;
    const real *restrict of_cotangent_state_c = a->at[0];
    const int64_t of_cotangent_state_c_b = a->stride[1];
    const real *restrict of_cotangent_state_h = a->at[1];
    const int64_t of_cotangent_state_h_b = a->stride[3];
    const real *restrict of_cotangent_output = a->at[2];
    const int64_t of_cotangent_output_t = a->stride[4], of_cotangent_output_b = a->stride[5];
    const real *restrict of_saved_o = a->at[3];
    const int64_t of_saved_o_b = a->stride[7];
    const real *restrict of_saved_t38 = a->at[4];
    const int64_t of_saved_t38_b = a->stride[9];
    const real *restrict of_saved_f = a->at[5];
    const int64_t of_saved_f_b = a->stride[11];
    const real *restrict of_state_c = a->at[6];
    const int64_t of_state_c_b = a->stride[13];
    const real *restrict of_saved_i = a->at[7];
    const int64_t of_saved_i_b = a->stride[15];
    const real *restrict of_saved_g = a->at[8];
    const int64_t of_saved_g_b = a->stride[17];
    real *restrict to_parameter_b_o = a->at[9];
    const int64_t to_parameter_b_o_b = a->stride[19];
    real *restrict to_parameter_b_g = a->at[10];
    const int64_t to_parameter_b_g_b = a->stride[21];
    real *restrict to_parameter_b_f = a->at[11];
    const int64_t to_parameter_b_f_b = a->stride[23];
    real *restrict to_parameter_b_i = a->at[12];
    const int64_t to_parameter_b_i_b = a->stride[25];
    real *restrict to_state_c = a->at[13];
    const int64_t to_state_c_b = a->stride[27];
    real *restrict to_state_h = a->at[14];
    const int64_t to_state_h_b = a->stride[29];
    real *restrict to_product_0 = a->at[15];
    const int64_t to_product_0_b = a->stride[31];
    real *restrict to_product_2 = a->at[16];
    const int64_t to_product_2_b = a->stride[33];
    real *restrict to_product_4 = a->at[17];
    const int64_t to_product_4_b = a->stride[35];
    real *restrict to_product_6 = a->at[18];
    const int64_t to_product_6_b = a->stride[37];
    const factor *pack_0 = a->pack[0];
    const real *matrix_0_0 = a->at[19];
    const int64_t ld_0_0 = a->stride[38];
    const real *matrix_0_1 = a->at[20];
    const int64_t ld_0_1 = a->stride[40];
    const real *matrix_0_2 = a->at[21];
    const int64_t ld_0_2 = a->stride[42];
    const real *matrix_0_3 = a->at[22];
    const int64_t ld_0_3 = a->stride[44];
    real *now_c = cut(&memory, rows * n_hidden);
    real *next_c = cut(&memory, rows * n_hidden);
    real *now_h = cut(&memory, rows * n_hidden);
    real *next_h = cut(&memory, rows * n_hidden);
    real *sum_b_o = cut(&memory, n_hidden);
    double *sum_b_o_total = (double *)cut(&memory, 2 * n_hidden);
    real *sum_b_g = cut(&memory, n_hidden);
    double *sum_b_g_total = (double *)cut(&memory, 2 * n_hidden);
    real *sum_b_f = cut(&memory, n_hidden);
    double *sum_b_f_total = (double *)cut(&memory, 2 * n_hidden);
    real *sum_b_i = cut(&memory, n_hidden);
    double *sum_b_i_total = (double *)cut(&memory, 2 * n_hidden);
    const int64_t listed = room_for(rows + 1, sizeof(row));
    memory += me->number * (listed + 0);
    row *all = (row *)memory;
    memory += listed;
    const span part_hidden_1 = part_of(me, n_hidden, 1 * LANES);
    const span part_hidden_4 = part_of(me, n_hidden, 4 * LANES);
    (void)part_hidden_1; (void)part_hidden_4;
    (void)memory, (void)piece, (void)rows;
    if (!me->number) {
        memset(sum_b_o, 0, (size_t)n_hidden * sizeof(real));
        memset(sum_b_o_total, 0, (size_t)n_hidden * sizeof(double));
        memset(sum_b_g, 0, (size_t)n_hidden * sizeof(real));
        memset(sum_b_g_total, 0, (size_t)n_hidden * sizeof(double));
        memset(sum_b_f, 0, (size_t)n_hidden * sizeof(real));
        memset(sum_b_f_total, 0, (size_t)n_hidden * sizeof(double));
        memset(sum_b_i, 0, (size_t)n_hidden * sizeof(real));
        memset(sum_b_i_total, 0, (size_t)n_hidden * sizeof(double));
    }
    meet(me);
    row *list = all;
    int64_t before = 0;
    for (int64_t step = a->T - 1; step >= 0; step--) {
        const int64_t count = rows_at(a, s, step, list);
        if (before < count) { /* rows that end here */
            if (!me->number) for (int64_t i = before; i < count; i++) {
                AT(i);
                memcpy(now_c + r * n_hidden, of_cotangent_state_c + b * of_cotangent_state_c_b, (size_t)n_hidden * sizeof(real));
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
                    const vec t38_ = load(of_saved_t38 + p * of_saved_t38_b + u, k);
                    const vec t6_ = (t2_ * t38_);
                    const vec o_ = load(of_saved_o + p * of_saved_o_b + u, k);
                    const vec t7_ = (t2_ * o_);
                    const vec t12_ = (t38_ * t38_);
                    const vec t14_ = (splat((real)1.0) - t12_);
                    const vec t15_ = (t7_ * t14_);
                    const vec state_c = load(now_c + r * n_hidden + u, k);
                    const vec t16_ = (state_c + t15_);
                    const vec g_ = load(of_saved_g + p * of_saved_g_b + u, k);
                    const vec t17_ = (t16_ * g_);
                    const vec i_ = load(of_saved_i + p * of_saved_i_b + u, k);
                    const vec t18_ = (t16_ * i_);
                    const vec c_before = load(of_state_c + p * of_state_c_b + u, k);
                    const vec t19_ = (t16_ * c_before);
                    const vec f_ = load(of_saved_f + p * of_saved_f_b + u, k);
                    const vec t20_ = (t16_ * f_);
                    store(next_c + r * n_hidden + u, t20_, k);
                    const vec t21_ = (splat((real)1.0) - o_);
                    const vec t22_ = (o_ * t21_);
                    const vec t23_ = (t6_ * t22_);
                    store(sum_b_o + u, load(sum_b_o + u, k) + t23_, k);
                    store(to_product_0 + p * to_product_0_b + u, t23_, k);
                    const vec t25_ = (g_ * g_);
                    const vec t26_ = (splat((real)1.0) - t25_);
                    const vec t27_ = (t18_ * t26_);
                    store(sum_b_g + u, load(sum_b_g + u, k) + t27_, k);
                    store(to_product_2 + p * to_product_2_b + u, t27_, k);
                    const vec t29_ = (splat((real)1.0) - f_);
                    const vec t30_ = (f_ * t29_);
                    const vec t31_ = (t19_ * t30_);
                    store(sum_b_f + u, load(sum_b_f + u, k) + t31_, k);
                    store(to_product_4 + p * to_product_4_b + u, t31_, k);
                    const vec t33_ = (splat((real)1.0) - i_);
                    const vec t34_ = (i_ * t33_);
                    const vec t35_ = (t17_ * t34_);
                    store(sum_b_i + u, load(sum_b_i + u, k) + t35_, k);
                    store(to_product_6 + p * to_product_6_b + u, t35_, k);
                }
            }
            meet(me);
        }
        if (step || a->start) {
            for (int64_t u0 = part_hidden_4.start; u0 < part_hidden_4.stop; u0 += 4 * LANES)
            for (int64_t r0 = 0, m; r0 < count; r0 += m) {
                m = evenly(count, count - r0, 12, 6);
                vec acc_0[12 * 4] = {0}; /* t37_ */
                {
                    const factor *w = pack_0 + u0 * 1 * (DEPTH(n_hidden) + DEPTH(n_hidden) + DEPTH(n_hidden) + DEPTH(n_hidden));
                    const real *rows[12];
                    for (int i = 0; i < m; i++) { AT(r0 + i); rows[i] = to_product_0 + p * to_product_0_b; }
                    if (!a->direct) products_4_12((int)m, w, rows, n_hidden, acc_0);
                    else for (int i = 0; i < m; i++) {
                        columns(matrix_0_0 + u0, ld_0_0, least(4 * LANES, n_hidden - u0), rows[i], n_hidden, acc_0 + i * 4);
                    }
                    w += DEPTH(n_hidden) * 4 * LANES;
                    for (int i = 0; i < m; i++) { AT(r0 + i); rows[i] = to_product_2 + p * to_product_2_b; }
                    if (!a->direct) products_4_12((int)m, w, rows, n_hidden, acc_0);
                    else for (int i = 0; i < m; i++) {
                        columns(matrix_0_1 + u0, ld_0_1, least(4 * LANES, n_hidden - u0), rows[i], n_hidden, acc_0 + i * 4);
                    }
                    w += DEPTH(n_hidden) * 4 * LANES;
                    for (int i = 0; i < m; i++) { AT(r0 + i); rows[i] = to_product_4 + p * to_product_4_b; }
                    if (!a->direct) products_4_12((int)m, w, rows, n_hidden, acc_0);
                    else for (int i = 0; i < m; i++) {
                        columns(matrix_0_2 + u0, ld_0_2, least(4 * LANES, n_hidden - u0), rows[i], n_hidden, acc_0 + i * 4);
                    }
                    w += DEPTH(n_hidden) * 4 * LANES;
                    for (int i = 0; i < m; i++) { AT(r0 + i); rows[i] = to_product_6 + p * to_product_6_b; }
                    if (!a->direct) products_4_12((int)m, w, rows, n_hidden, acc_0);
                    else for (int i = 0; i < m; i++) {
                        columns(matrix_0_3 + u0, ld_0_3, least(4 * LANES, n_hidden - u0), rows[i], n_hidden, acc_0 + i * 4);
                    }
                }
                for (int row_ = 0; row_ < m; row_++) {
                    AT(r0 + row_);
                    for (int q = 0; q < 4 && u0 + q * LANES < n_hidden; q++) {
                        const int64_t u = u0 + q * LANES; const int k = least(LANES, n_hidden - u);
                        const vec t37_ = acc_0[row_ * 4 + 0 + q];
                        store(next_h + r * n_hidden + u, t37_, k);
                    }
                }
            }
        }
        meet(me);
        if (a->reset) {
            if (!me->number) for (int64_t i = 0; i < count; i++) {
                AT(i);
                if (!a->reset[t * a->B + b]) continue;
                memset(next_c + r * n_hidden, 0, (size_t)n_hidden * sizeof(real));
                memset(next_h + r * n_hidden, 0, (size_t)n_hidden * sizeof(real));
            }
            meet(me);
        }
        { real *last = now_c; now_c = next_c; next_c = last; }
        { real *last = now_h; now_h = next_h; next_h = last; }
        if (step % 32 == 0) {
            if (!me->number) {
                add_to(sum_b_o_total, sum_b_o, n_hidden);
                add_to(sum_b_g_total, sum_b_g, n_hidden);
                add_to(sum_b_f_total, sum_b_f, n_hidden);
                add_to(sum_b_i_total, sum_b_i, n_hidden);
            }
            meet(me);
        }
    }
    if (me->number) return;
    if (a->start) for (int64_t r = 0; r < s.count; r++) {
        const int64_t b = batch_row(a, s, r);
        memcpy(to_state_c + b * to_state_c_b, r < before ? now_c + r * n_hidden : of_cotangent_state_c + b * of_cotangent_state_c_b, (size_t)n_hidden * sizeof(real));
        memcpy(to_state_h + b * to_state_h_b, r < before ? now_h + r * n_hidden : of_cotangent_state_h + b * of_cotangent_state_h_b, (size_t)n_hidden * sizeof(real));
    }
    for (int64_t u = 0; u < n_hidden; u++) to_parameter_b_o[piece * to_parameter_b_o_b + u] = (real)sum_b_o_total[u];
    for (int64_t u = 0; u < n_hidden; u++) to_parameter_b_g[piece * to_parameter_b_g_b + u] = (real)sum_b_g_total[u];
    for (int64_t u = 0; u < n_hidden; u++) to_parameter_b_f[piece * to_parameter_b_f_b + u] = (real)sum_b_f_total[u];
    for (int64_t u = 0; u < n_hidden; u++) to_parameter_b_i[piece * to_parameter_b_i_b + u] = (real)sum_b_i_total[u];
}

static int64_t reverse_pack_bytes(const arguments *a) {
    const int64_t n_hidden = a->size[0];
    (void)n_hidden;
    return room(((n_hidden + (4 * LANES) - 1) / (4 * LANES) * (4 * LANES)) * 1 * (DEPTH(n_hidden) + DEPTH(n_hidden) + DEPTH(n_hidden) + DEPTH(n_hidden))) + 64;
}

static void reverse_pack_places(arguments *a, char *memory) {
    const int64_t n_hidden = a->size[0];
    (void)n_hidden;
    a->pack[0] = cut(&memory, ((n_hidden + (4 * LANES) - 1) / (4 * LANES) * (4 * LANES)) * 1 * (DEPTH(n_hidden) + DEPTH(n_hidden) + DEPTH(n_hidden) + DEPTH(n_hidden)));
    (void)memory;
}

static int reverse_pack(arguments *a, int64_t piece) {
    const int64_t n_hidden = a->size[0];
    (void)n_hidden;
    if (piece * 4 * LANES < n_hidden) {
        const real *matrix_0_0 = a->at[19];
        const int64_t ld_0_0 = a->stride[38];
        const real *matrix_0_1 = a->at[20];
        const int64_t ld_0_1 = a->stride[40];
        const real *matrix_0_2 = a->at[21];
        const int64_t ld_0_2 = a->stride[42];
        const real *matrix_0_3 = a->at[22];
        const int64_t ld_0_3 = a->stride[44];
        const int64_t u0 = piece * 4 * LANES;
        factor *to = (factor *)a->pack[0] + u0 * 1 * (DEPTH(n_hidden) + DEPTH(n_hidden) + DEPTH(n_hidden) + DEPTH(n_hidden));
        for (int q = 0; q < 4; q++) {
            pack_columns(to + (0 + q) * LANES, matrix_0_0, ld_0_0, n_hidden, n_hidden, 4, u0 + q * LANES);
            pack_columns(to + (0 + q) * LANES + DEPTH(n_hidden) * 4 * LANES, matrix_0_1, ld_0_1, n_hidden, n_hidden, 4, u0 + q * LANES);
            pack_columns(to + (0 + q) * LANES + DEPTH(n_hidden) * 4 * LANES + DEPTH(n_hidden) * 4 * LANES, matrix_0_2, ld_0_2, n_hidden, n_hidden, 4, u0 + q * LANES);
            pack_columns(to + (0 + q) * LANES + DEPTH(n_hidden) * 4 * LANES + DEPTH(n_hidden) * 4 * LANES + DEPTH(n_hidden) * 4 * LANES, matrix_0_3, ld_0_3, n_hidden, n_hidden, 4, u0 + q * LANES);
        }
        return 1;
    }
    piece -= (n_hidden + 4 * LANES - 1) / (4 * LANES);
    (void)piece;
    return 0;
}

SHARED(reverse, 1, 23)
